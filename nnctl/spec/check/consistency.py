"""Consistency of a spec: conditions on parts that are right alone, as far as no shapes are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from nnctl.components.base import MonitoredSchedule, StepMetric
from nnctl.components.pretraining import pretraining_problems
from nnctl.errors import Diagnostic
from nnctl.late import dataclass
from nnctl.spec.check.contradictions import Contradictions
from nnctl.spec.check.validate import Place, in_order
from nnctl.spec.check.wiring import Wiring, layer_names
from nnctl.spec.document import Spec
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest
from nnctl.spec.messages.wording import article, listing


def check(spec: Spec, places: Mapping[str, Place], folder: Path) -> list[Diagnostic]:
    """All contradictions in a spec, in the order of the file.

    places: of its values, by path. folder: what its paths are relative to.
    """
    wiring, rest = Wiring(spec, places), _Consistency(spec, places, splits=spec.data.splits_in(folder))
    wiring.check()
    rest.check()
    problems = [*wiring.problems, *rest.problems]
    # Places may be found as they are asked for: of a sound spec nobody does.
    return in_order(problems, places[""].value.path) if problems else []


@dataclass
class _Consistency(Contradictions):
    """splits: those that there will be, or may be."""

    splits: tuple[str, ...] = ()

    def check(self) -> None:
        self.output()
        self.metrics()
        self.monitors()
        self.ensemble()
        self.transfer()
        self.pretraining()
        self.rates()

    # -- cost --------------------------------------------------------------------

    def output(self) -> None:
        """The last activation: one that the cost goes with."""
        cost = self.spec.cost
        activation = self.spec.layers[-1].output_activation
        if not cost.outputs or activation is None or activation.type in cost.outputs:
            return
        name = activation.type
        fitting = " or ".join(f"'{n}'" for n in cost.outputs)
        path = f"layers.{len(self.spec.layers) - 1}"
        self.problems.append(
            Diagnostic(
                f"cost '{cost.type}' does not belong with {article(name)} output",
                self.at("cost"),
                expected=f"a last layer with activation {fitting}",
                hint=cost.wrong_outputs.get(name, f"end with activation: {cost.outputs[0]}"),
                related=((self.at(f"{path}.activation"), f"the last layer is {name}"),),
            )
        )

    # -- metrics -----------------------------------------------------------------

    def metrics(self) -> None:
        seen: dict[str, int] = {}
        for index, metric in enumerate(self.spec.metrics):
            if metric.column in seen:
                self.problem(
                    f"metrics.{index}",
                    f"'{metric.column}' is measured twice",
                    hint="remove one of the two",
                )
            seen.setdefault(metric.column, index)

    def monitors(self) -> None:
        """Monitors: each names a column that there will be."""
        folded = self.spec.sweep is not None and self.spec.sweep.folds is not None
        splits = [s for s in ("train", "validation") if s in self.splits or folded]
        evaluated = [m.column for m in self.spec.metrics if not isinstance(m, StepMetric)]
        measures = list(dict.fromkeys(["cost", "accuracy", *evaluated]))
        columns = [f"{split}_{measure}" for split in splits for measure in measures]
        objectives: set[str] = set()
        for path, column in self.monitored():
            split, _, measure = column.partition("_")
            known = columns
            if path.startswith("sweep."):
                known = [*columns, "parameters"]
                if column in objectives:
                    self.problem(path, f"'{column}' is named twice", hint="remove one of the two")
                objectives.add(column)
            if column in known:
                continue
            if split == "validation" and measure in measures:
                self.problem(
                    path,
                    f"'{column}' will not be measured: the data has no validation split",
                    hint="hold examples out with data.validation, for example 0.1",
                )
                continue
            parts = [part.strip() for part in column.split(",")]
            hint = did_you_mean(suggest(column, known))
            if path.startswith("sweep.") and len(parts) > 1 and set(parts) <= set(known):
                hint = f"write [{', '.join(parts)}], or --monitor for each of them"
            elif split == "test" and not hint:
                hint = "the test split is looked at once, after training"
            self.problem(path, f"no column '{column}' will be measured", f"one of {listing(known)}", hint)

    # -- ensemble ----------------------------------------------------------------

    def ensemble(self) -> None:
        """Examples that judge an ensemble: all of its members must have held them out."""
        sweep, splits = self.spec.sweep, self.splits
        if sweep is None or sweep.ensemble is None or "test" in splits:
            return
        if sweep.folds is not None:
            why = "the data has no test split, and each fold validates on examples that the others train on"
        elif "validation" not in splits:
            why = "the data has neither a test split nor a validation split"
        else:
            return
        self.problem(
            "sweep.ensemble",
            f"an ensemble has nothing to be judged on: {why}",
            hint="hold examples out with data.test, for example 0.1",
        )

    # -- transfer ----------------------------------------------------------------

    def transfer(self) -> None:
        """The weights to start from: one source of them, and layers that are of this net."""
        transfer = self.spec.from_
        if transfer is not None and (transfer.run is None) == (transfer.file is None):
            said = "neither a run nor a file" if transfer.run is None else "both a run and a file"
            self.problem("from", f"the weights to start from are of {said}", "one of run and file")
        elif transfer is not None:
            of_file = transfer.file is not None
            for name in ("checkpoint",) if of_file else ("rename", "layout"):
                if getattr(transfer, name):
                    why = "a file has no checkpoints" if of_file else "a run has our names and our layout"
                    self.problem(f"from.{name}", f"{name} has nothing to act on: {why}", hint="remove it")
        names = layer_names(self.spec.layers)
        for index, name in enumerate((transfer.layers if transfer is not None else None) or ()):
            if name not in names:
                self.problem(
                    f"from.layers.{index}",
                    f"there is no layer '{name}' to start from other weights",
                    f"one of {listing(names)}",
                    did_you_mean(suggest(name, names)),
                )

    # -- pretraining ---------------------------------------------------------------

    def pretraining(self) -> None:
        """The layers that learn as Boltzmann machines are of this net, and a stack of them."""
        pretraining, transfer = self.spec.pretraining, self.spec.from_
        if pretraining is None:
            return
        names = layer_names(self.spec.layers)
        for index, name in enumerate(pretraining.layers):
            if name not in names:
                self.problem(
                    f"pretraining.layers.{index}",
                    f"there is no layer '{name}' to pretrain",
                    f"one of {listing(names)}",
                    did_you_mean(suggest(name, names)),
                )
        transferred = () if transfer is None else names if transfer.layers is None else transfer.layers
        for problem in pretraining_problems(pretraining, self.spec.layers, names, transferred):
            self.problem(f"pretraining.{problem.field}", problem.message, hint=problem.hint)

    def rates(self) -> None:
        """Schedules whose numbers may be meant otherwise, given the learning rate that they change."""
        found = [("schedule.learning_rate", self.spec.schedule.learning_rate, self.spec.optimizer.rates())]
        if (pretraining := self.spec.pretraining) is not None:
            found.append(("pretraining.schedule", pretraining.schedule, {"learning_rate": pretraining.learning_rate}))
        for path, schedule, rates in found:
            for doubt in schedule.doubts_about(rates["learning_rate"]) if "learning_rate" in rates else ():
                self.problem(f"{path}.{doubt.field}", doubt.message, hint=doubt.hint)

    def monitored(self) -> Iterator[tuple[str, str]]:
        schedule = self.spec.schedule
        if schedule.early_stopping is not None:
            yield "schedule.early_stopping.monitor", schedule.early_stopping.monitor
        rates = schedule.learning_rate
        if isinstance(rates, MonitoredSchedule) and rates.monitored is not None:
            yield "schedule.learning_rate.monitor", rates.monitored
        if self.spec.sweep is not None:
            several = not isinstance(self.spec.sweep.monitor, str)
            for index, column in enumerate(self.spec.sweep.objectives):
                yield f"sweep.monitor.{index}" if several else "sweep.monitor", column
