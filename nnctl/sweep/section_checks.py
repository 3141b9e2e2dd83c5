"""Checks of a sweep section: what asks for nothing, or contradicts itself, is refused before trials are listed."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.components.kinds.pruning import Pruner, RungPruner, SeriesPruner
from nnctl.components.kinds.running import LearningSampler
from nnctl.components.samplers import Grid, Random
from nnctl.errors import SpecError, UsageError
from nnctl.spec.document import Sweep
from nnctl.spec.load import Loaded
from nnctl.spec.overrides import place_of
from nnctl.spec.yaml.flow import flow
from nnctl.sweep.combinations import runs_of_each
from nnctl.sweep.objectives import PARAMETERS


def require_sense(sweep: Sweep) -> None:
    """Raise UsageError where the section asks for nothing, or for what contradicts itself."""
    searched = (*sweep.grid, *sweep.space, *sweep.derived)
    twice = next((path for path in searched if searched.count(path) > 1), None)
    if twice is not None:
        raise UsageError(f"sweep: '{twice}' is searched in two ways; leave it out of one of grid, space and derived")
    if sweep.space and sweep.trials is None and not isinstance(sweep.sampler, Grid):
        raise UsageError("sweep: how many trials? say it by --trials N, or by trials in the sweep section")
    if sweep.trials is not None and not sweep.space:
        raise UsageError(
            f"sweep: {sweep.trials} trials of nothing\n"
            "  --space optimizer.learning_rate=0.001:1:log names something to draw"
        )
    if not sweep.grid and not sweep.space and sweep.seeds == 1 and sweep.folds is None:
        raise UsageError(
            "nothing to sweep\n"
            "  --grid optimizer.learning_rate=0.01,0.1,1 tries three values; so does a sweep section in the spec"
        )
    if not sweep.space and not isinstance(sweep.sampler, Random):
        raise UsageError(
            f"sweep: the sampler {sweep.sampler.type} has nothing to propose\n"
            "  --space optimizer.learning_rate=0.001:1:log names something"
        )
    if isinstance(sweep.sampler, LearningSampler):
        _require_sense_to_learn(sweep, sweep.sampler)
    if sweep.pruner is not None:
        _require_sense_to_prune(sweep, sweep.pruner)
    folded = [path for path in searched if path in ("data", "data.fold", "data.validation")]
    if sweep.folds is not None and folded:
        raise UsageError(
            f"sweep: '{folded[0]}' is searched, and cross-validation holds out parts of its own; do one of the two"
        )
    own = next((path for path in searched if path.split(".")[0] == "sweep"), None)
    if own is not None:
        raise UsageError(
            f"sweep: '{own}' says how the sweep goes, and is the same for all of its trials\n  say it by --set"
        )
    if sweep.seeds > 1 and "seed" in searched:
        raise UsageError("sweep: 'seed' is searched, and several seeds are asked for; do one of the two")


def _require_sense_to_learn(sweep: Sweep, sampler: LearningSampler) -> None:
    """Raise UsageError where a sampler that learns cannot do what is asked."""
    if sweep.grid:
        path = next(iter(sweep.grid))
        raise UsageError(
            f"sweep: '{path}' is in the grid, all of which is tried, and the sampler {sampler.type} chooses what is\n"
            f"  let it choose: --space '{path}={{type: choice, values: […]}}'"
        )
    if len(sweep.objectives) > 1 and not sampler.several:
        raise UsageError(
            f"sweep: the sampler {sampler.type} has one objective, and monitor names several\n  tpe and gp take several"
        )


def _require_sense_to_prune(sweep: Sweep, pruner: Pruner) -> None:
    """Raise UsageError where there is nothing that a pruner could compare by."""
    if len(sweep.objectives) > 1:
        raise UsageError(
            f"sweep: the pruner {pruner.type} compares by one objective, and monitor names several\n"
            "  leave the pruner out, or rank by one"
        )
    unseen = [column for column in sweep.objectives if column == PARAMETERS or column.startswith("test_")]
    if unseen:
        raise UsageError(
            f"sweep: the pruner {pruner.type} looks at trials while they train, and {unseen[0]} is known at their end\n"
            "  rank by a column of the validation split, or leave the pruner out"
        )
    if isinstance(pruner, SeriesPruner) and runs_of_each(sweep) == 1:
        raise UsageError(
            f"sweep: the pruner {pruner.type} compares the runs of a combination, and each has one\n"
            "  --seeds 5, or --folds 5, gives it several"
        )


def require_rungs(loaded: Loaded, sweep: Sweep) -> None:
    """Raise SpecError where no rung of the pruner is before the end of a run."""
    pruner, epochs = sweep.pruner, loaded.spec.schedule.epochs
    if isinstance(pruner, RungPruner) and not pruner.rungs_before(epochs):
        named = "rungs" if pruner.rungs is not None else "first"
        raise loaded.error(
            f"sweep.pruner.{named}",
            f"the pruner has no rung before the end of a run, after {epochs} epoch{'s' if epochs > 1 else ''}",
            hint="name an earlier rung, or train longer: schedule.epochs",
        )


def require_distinct(loaded: Loaded, sweep: Sweep) -> None:
    """Raise SpecError where two paths of the search are one place, or two values of the grid are one."""
    places: dict[tuple[str, ...], str] = {}
    for path in (*sweep.grid, *sweep.space, *sweep.derived):
        try:
            place = place_of(loaded.tree, path)
        except SpecError:
            continue  # Loading the trials says it, of every path at once.
        before = places.setdefault(place, path)
        if before != path:
            kind = next(kind for kind in ("grid", "space", "derived") if path in getattr(sweep, kind))
            where = f"sweep.{kind}.{path}"
            raise loaded.error(
                where, f"'{path}' and '{before}' are the same value of the spec", hint="search one of the two"
            )
    for path, values in sweep.grid.items():
        seen: dict[object, int] = {}
        for index, value in enumerate(values):
            if seen.setdefault(_alike(value), index) != index:
                raise loaded.error(
                    f"sweep.grid.{path}.{index}",
                    f"'{path}' has {flow(value)} twice in the grid",
                    hint="remove one of the two",
                )


def _alike(value: object) -> object:
    """A key that is equal for values that say the same: 1e-3 and 0.001, relu and {type: relu}."""
    if isinstance(value, Mapping):
        return (
            _alike(value["type"]) if set(value) == {"type"} else frozenset((key, _alike(v)) for key, v in value.items())
        )
    if isinstance(value, list | tuple):
        return tuple(map(_alike, value))
    # True and 1 are equal in Python but not in a spec.
    return (isinstance(value, bool), value)
