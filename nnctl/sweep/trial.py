"""A trial: one run of a sweep, its settings as overrides of the spec, and its own spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from nnctl.errors import SpecError
from nnctl.late import dataclass
from nnctl.spec.load import Loaded, load_variant
from nnctl.spec.override_syntax import parse_override
from nnctl.spec.variants import Variants
from nnctl.spec.yaml.flow import flow


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    combination: equal for the trials that differ in nothing but the seed and the fold.
    settings: the values that the search has chosen, by path. left_out: parts of the spec that are not there.
    variables: names among the settings that other values follow from, and that are no part of the spec.
    seed: of the run, None where the settings say it.
    fold: (the part that validates, the number of parts), None without cross-validation.
    """

    number: int
    combination: int
    settings: Mapping[str, object]
    seed: int | None
    fold: tuple[int, int] | None = None
    left_out: tuple[str, ...] = ()
    variables: frozenset[str] = frozenset()

    @property
    def overrides(self) -> tuple[str, ...]:
        """The settings as `path=value`, as `--set` takes them."""
        # A component comes before its fields, which it would wipe out.
        ordered = sorted(
            (item for item in self.settings.items() if item[0] not in self.variables), key=lambda item: _depth(item[0])
        )
        # Of a list, the last item goes first: the others keep their places.
        removed = (f"{path}=null" for path in sorted(self.left_out, key=_steps, reverse=True))
        seed = () if self.seed is None else (f"seed={self.seed}",)
        fold = () if self.fold is None else (f"data.fold={flow(list(self.fold))}",)
        return (*(f"{path}={flow(value)}" for path, value in ordered), *removed, *seed, *fold)


def load_trial(base: Loaded, overrides: Sequence[str], variants: Variants | None = None) -> Loaded:
    """The spec of one trial; it sweeps no more. variants: of `base`, where there are many trials. Raises SpecError."""
    loaded = load_variant(base, overrides) if variants is None else variants.load(overrides)
    return replace(loaded, spec=replace(loaded.spec, sweep=None))


@cache
def _depth(path: str) -> int:
    """The number of steps of a path, however it is written; 0 of one that cannot be read, which loading will say."""
    return len(_steps(path))


@cache
def _steps(path: str) -> tuple[tuple[int, str], ...]:
    """The steps of a path, as they are sorted: indices by number."""
    try:
        steps = parse_override(f"{path}=null").steps
    except SpecError:
        return ()
    return tuple((-1 if step.index is None else step.index, step.key) for step in steps)
