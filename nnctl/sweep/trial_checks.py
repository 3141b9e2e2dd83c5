"""Checks of trials' specs, before anything trains: what is wrong is said at a setting, formula or condition."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from nnctl.errors import Diagnostic, Location, SpecError
from nnctl.spec.load import Loaded
from nnctl.spec.override_syntax import ORIGIN
from nnctl.spec.variants import Variants
from nnctl.spec.yaml.flow import flow
from nnctl.sweep.space import Space
from nnctl.sweep.trial import Trial

_NUMBER = re.compile(r"[-+]?\d[\d.]*(?:[eE][-+]?\d+)?")


def require_sound(base: Loaded, trials: Iterable[Trial], loaded: Loaded, space: Space) -> None:
    """Raise SpecError with the problems of all trials, each once, or of the first hundred that have any.

    base: the spec that the trials' overrides apply to. loaded: the one with the sweep section.
    Of values that nobody has written down, drawn or derived, one stands for all with its problem.
    """
    variants = Variants(base)
    problems: dict[tuple[str, str], Diagnostic] = {}
    bad = 0
    for trial in trials:
        try:
            variants.check(trial.overrides)
        except SpecError as error:
            for diagnostic in error.diagnostics:
                path = _set_by(diagnostic.location, trial)
                problems.setdefault(_identity(diagnostic, path, space), _placed(diagnostic, path, trial, loaded, space))
            bad += 1
            if bad == 100:
                break
    if problems:
        raise SpecError(list(problems.values()))


def _set_by(location: Location | None, trial: Trial) -> str | None:
    """The path of a trial's settings, or left out of it, that a location lies in; None where it is in a file."""
    if location is None or location.path != ORIGIN:
        return None
    paths = (*trial.settings, *trial.left_out)
    return next((path for path in paths if location.text.startswith(f"{path}=")), None)


def _identity(diagnostic: Diagnostic, path: str | None, space: Space) -> tuple[str, str]:
    """A key that is equal for the problems of one path, or of one value, in many trials."""
    if path is not None and (path in space.distributions or space.derives(path)):
        return _NUMBER.sub("…", diagnostic.message), path
    where = diagnostic.location
    said = "" if where is None else f"{where.path}:{where.line}:{where.text[: where.column - 1 + where.width]}"
    return diagnostic.message, said


def _placed(diagnostic: Diagnostic, path: str | None, trial: Trial, loaded: Loaded, space: Space) -> Diagnostic:
    """The problem at the place of the sweep section that is to blame, and with the conditions that leave parts out.

    The place of a setting that stands in no file is named after the sweep, not after an option that nobody gave.
    """

    def name(location: Location) -> Location:
        return replace(location, path="sweep") if location.path == ORIGIN else location

    def condition(part: str) -> tuple[Location, str] | None:
        at = loaded.locate(f"sweep.only.{part}")
        return None if at is None else (at, f"'{part}' is left out{space.where(part, trial.settings)}")

    location = diagnostic.location and name(diagnostic.location)
    message, related = diagnostic.message, tuple((name(at), said) for at, said in diagnostic.related)
    if path is None or path in trial.left_out:
        related += tuple(filter(None, map(condition, trial.left_out)))
    elif diagnostic.location is not None and (found := _in_section(diagnostic.location, path, trial, loaded, space)):
        location, words = found
        message += words
    return replace(diagnostic, message=message, location=location, related=related)


def _in_section(
    location: Location, path: str, trial: Trial, loaded: Loaded, space: Space
) -> tuple[Location, str] | None:
    """The place of a setting's path or value in the sweep section, and words on a value that is not written there.

    None where the section is no better a place: where an option was given.
    """
    kinds = ("grid", "space", "derived")
    where, place = next(
        ((where, place) for kind in kinds if (place := loaded.places.get(where := f"sweep.{kind}.{path}"))), ("", None)
    )
    if place is None:
        return None
    within, value = location.column - 1, trial.settings[path]
    key = place.key
    if within < len(path):
        if key is None or key.path == ORIGIN:
            return None
        literal = key.text[key.column - 1 :].startswith(path)
        return (replace(key, column=key.column + within, width=location.width) if literal else key), ""
    if space.derives(path):
        return place.value, f": '{path}' is {flow(value)}{space.where(path, trial.settings)}"
    if place.value.path == ORIGIN:
        return None
    if path in space.distributions:
        return place.value, f", which is drawn for '{path}'"
    assert loaded.spec.sweep is not None
    index = next(n for n, each in enumerate(loaded.spec.sweep.grid[path]) if each is value or each == value)
    return loaded.places[f"{where}.{index}"].value, ""
