"""Objectives of a sweep, by which its trials are ranked, and the constraints that they have to meet."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.components.registry import components
from nnctl.errors import UsageError
from nnctl.late import dataclass
from nnctl.spec.document import Spec
from nnctl.spec.load import Loaded
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest
from nnctl.sweep.formula import Formula, read
from nnctl.sweep.trial_result import TrialResult
from nnctl.training.monitor import SPLITS, metric_of, monitored_column

PARAMETERS = "parameters"
"""The column of the number of trained numbers, beside those of the metrics."""


@dataclass(frozen=True)
class Objective:
    """A column of the results and its direction."""

    column: str
    higher_is_better: bool

    @property
    def sign(self) -> float:
        """A factor that makes lower values the better ones."""
        return -1.0 if self.higher_is_better else 1.0


def objectives_of(spec: Spec, columns: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives in some columns."""
    return tuple(Objective(column, higher_is_better(spec, column)) for column in columns)


def objectives_reached(spec: Spec, results: Sequence[TrialResult]) -> tuple[Objective, ...]:
    """The objectives that rank the results: those of the sweep, else what the first run that finished monitored.

    Empty where none finished.
    """
    own = next((result.monitored for result in results if result.monitored is not None), None)
    if own is None:
        return ()
    asked = spec.sweep.objectives if spec.sweep is not None else ()
    return objectives_of(spec, asked or (own,))


def objectives_ahead(loaded: Loaded) -> tuple[Objective, ...]:
    """The objectives before any run: those of the sweep, else what every run will monitor.

    Raises DataError, SpecError where the data, which decides that, is not sound.
    """
    spec = loaded.spec
    asked = spec.sweep.objectives if spec.sweep is not None else ()
    if asked:
        return objectives_of(spec, asked)
    # Here and not above: a sweep that need not know has no use for NumPy in the process that hands out trials.
    from nnctl.data.dataset import load_dataset

    with loaded.pointing():
        data = load_dataset(spec.data, loaded.folder, spec.seed)
    column = monitored_column(spec, data.splits, labels=data.signature.classes is not None)
    return objectives_of(spec, (column or "train_cost",))


def higher_is_better(spec: Spec, column: str) -> bool:
    """The direction of a column of the metrics."""
    metric = metric_of(column)
    for each in spec.metrics:
        if each.column == metric:
            return each.higher_is_better
    return metric in components("metric") and bool(components("metric")[metric].higher_is_better)


def read_constraints(loaded: Loaded, searched: Sequence[str]) -> tuple[Formula, ...]:
    """The constraints of the sweep. searched: paths of the search, which they may name beside columns.

    Raises SpecError where one cannot be read, or names what will not be there.
    """
    spec = loaded.spec
    texts = spec.sweep.constraints if spec.sweep is not None else ()
    measures = dict.fromkeys(["cost", "accuracy", *(metric.column for metric in spec.metrics)])
    known = [PARAMETERS, *(f"{split}_{measure}" for split in SPLITS for measure in measures), *searched]
    found: list[Formula] = []
    for index, text in enumerate(texts):
        where = f"sweep.constraints.{index}"
        try:
            formula = read(text)
            formula.require_comparison()
        except UsageError as error:
            message, _, hint = str(error).partition("\n")
            raise loaded.error(where, message, hint=hint.strip()) from None
        unknown = next((name for name in formula.names if name not in known), None)
        if unknown is not None:
            raise loaded.error(
                where,
                f"'{unknown}' is no column of the results, and is not searched",
                hint=did_you_mean(suggest(unknown, known)),
            )
        found.append(formula)
    return tuple(found)
