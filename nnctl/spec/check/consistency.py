"""Consistency of a spec: conditions on parts that are right alone, as far as no shapes are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nnctl.components.base import Activation, Layer, StepMetric
from nnctl.components.pretraining import pretraining_problems
from nnctl.errors import Diagnostic, Location
from nnctl.spec.check.validate import Place, in_order
from nnctl.spec.document import Spec
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest
from nnctl.spec.messages.wording import article, listing

NET_INPUT = "input"
"""The name of the net's own input in a layer's `inputs`."""

_NAME = re.compile(r"[^\W\d][\w-]*")


def check(spec: Spec, places: Mapping[str, Place]) -> list[Diagnostic]:
    """All contradictions in a spec, in the order of the file. places: of its values, by path."""
    checker = _Checker(spec, places)
    checker.wiring()
    checker.nested(spec.layers, "layers")
    checker.sequences(spec.layers, "layers")
    checker.output()
    checker.metrics()
    checker.monitors()
    checker.ensemble()
    checker.transfer()
    checker.pretraining()
    return in_order(checker.problems, places[""].value.path)


def layer_names(layers: tuple[Layer, ...]) -> list[str]:
    """Names of the layers of a list: its own, or its type and a count among the unnamed."""
    counts: dict[str, int] = {}
    names = []
    for layer in layers:
        if layer.name is None:
            counts[layer.type] = counts.get(layer.type, 0) + 1
        names.append(layer.name or f"{layer.type}{counts[layer.type]}")
    return names


@dataclass
class _Checker:
    spec: Spec
    places: Mapping[str, Place]
    problems: list[Diagnostic] = field(default_factory=list)

    def at(self, path: str) -> Location:
        while path not in self.places:
            path = path.rpartition(".")[0]
        return self.places[path].value

    def problem(self, path: str, message: str, expected: str = "", hint: str = "") -> None:
        self.problems.append(Diagnostic(message, self.at(path), expected, hint))

    # -- layers ----------------------------------------------------------------

    def wiring(self) -> None:
        """The graph of the root list: each layer's inputs among the layers there are."""
        layers = self.spec.layers
        names = layer_names(layers)
        before = len(self.problems)
        self.distinct(layers, names, "layers")
        read = {names[-1]}
        for index, layer in enumerate(layers):
            path = f"layers.{index}"
            if layer.inputs is None:
                read.update(names[index - 1 : index] if index else ())
                continue
            read.update(layer.inputs)
            if not layer.inputs:
                self.problem(
                    f"{path}.inputs", f"layer '{names[index]}' reads nothing", hint="name a layer, or remove the key"
                )
            for number, name in enumerate(layer.inputs):
                self.reads(f"{path}.inputs.{number}", name, index, names)
        if len(self.problems) > before:
            # A layer whose name is misspelt is read by none: one mistake, one message.
            return
        for index, name in enumerate(names[:-1]):
            if name not in read:
                self.problem(
                    f"layers.{index}",
                    f"no layer reads the output of '{name}'",
                    hint=f"add '{name}' to the 'inputs' of a later layer, or remove it",
                )

    def reads(self, path: str, name: str, index: int, names: list[str]) -> None:
        earlier = [NET_INPUT, *names[:index]]
        if name in earlier:
            return
        reader = names[index]
        if name == reader:
            self.problem(path, f"layer '{reader}' reads itself", f"the name of an earlier layer: {listing(earlier)}")
        elif name in names:
            self.problem(
                path,
                f"layer '{reader}' reads '{name}', which comes after it",
                f"the name of an earlier layer: {listing(earlier)}",
                "move the layer that is read before its reader",
            )
        else:
            hint = did_you_mean(suggest(name, earlier))
            self.problem(
                path, f"there is no layer '{name}' to read", f"the name of an earlier layer: {listing(earlier)}", hint
            )

    def distinct(self, layers: tuple[Layer, ...], names: list[str], path: str) -> None:
        first: dict[str, int] = {}
        for index, (layer, name) in enumerate(zip(layers, names, strict=True)):
            here = f"{path}.{index}.name"
            if layer.name is not None and not _NAME.fullmatch(name):
                words = "a letter, then letters, digits, '_' and '-'"
                self.problem(here, f"'{name}' cannot name a layer", words, f"parameters are called '{name}.weight'")
            elif name == NET_INPUT:
                self.problem(
                    here, f"'{NET_INPUT}' cannot name a layer", hint="it is what 'inputs' calls the net's own input"
                )
            elif name in first:
                other = first[name]
                unnamed = layers[other].name is None or layer.name is None
                note = f"this layer has no name and is called '{name}'" if unnamed else f"'{name}' is first used here"
                named, related = (here, other) if layer.name is not None else (f"{path}.{other}.name", index)
                self.problems.append(
                    Diagnostic(
                        f"two layers are called '{name}'",
                        self.at(named),
                        hint="rename one of the two",
                        related=((self.at(f"{path}.{related}.name"), note),),
                    )
                )
            first.setdefault(name, index)

    def nested(self, layers: tuple[Layer, ...], path: str) -> None:
        """Layers inside layers: distinct names, one chain."""
        for index, layer in enumerate(layers):
            inner = getattr(layer, "layers", None)
            if not isinstance(inner, tuple):
                continue
            inside = f"{path}.{index}.layers"
            self.distinct(inner, layer_names(inner), inside)
            for number, part in enumerate(inner):
                if part.inputs is not None:
                    self.problem(
                        f"{inside}.{number}.inputs",
                        f"a layer inside '{layer.type}' reads the one before it",
                        hint="'inputs' is for the layers at the root of the spec",
                    )
            self.nested(inner, inside)

    def sequences(self, layers: tuple[Layer, ...], path: str) -> None:
        """Layers that scan sequences, against data that does not allow a state kept or a scan backwards."""
        for index, layer in enumerate(layers):
            here = f"{path}.{index}"
            obstacle = self.break_between_batches() if getattr(layer, "stateful", False) else None
            if obstacle is not None:
                why, hint = obstacle
                self.problem(f"{here}.stateful", f"'{layer.type}' cannot carry its state: {why}", hint=hint)
            if getattr(layer, "bidirectional", False) and self.spec.data.predicts_next:
                self.problem(
                    f"{here}.bidirectional",
                    f"read backwards, data of type {self.spec.data.type} gives away its targets: "
                    "each is the step that comes next",
                    hint="remove 'bidirectional'",
                )
            inner = getattr(layer, "layers", None)
            if isinstance(inner, tuple):
                self.sequences(inner, f"{here}.layers")

    def break_between_batches(self) -> tuple[str, str] | None:
        """The reason that batches of the data do not follow one another, and what to do; None where they do."""
        data = self.spec.data
        if not data.contiguous:
            return (
                f"with data of type {data.type}, batches do not go on where the ones before ended",
                "remove 'stateful', or use data of type text with contiguous: true",
            )
        if getattr(data, "split", "ordered") != "ordered":
            return (
                "windows held out at random do not follow one another",
                "remove 'stateful', or let data.split be ordered, as it is if absent",
            )
        return None

    # -- cost --------------------------------------------------------------------

    def output(self) -> None:
        """The last activation against what the cost makes sense of."""
        cost = self.spec.cost
        last = self.spec.layers[-1]
        if not cost.outputs or "activation" not in getattr(last, "__dataclass_fields__", {}):
            return
        activation = getattr(last, "activation")  # noqa: B009
        name = activation.type if isinstance(activation, Activation) else "linear"
        if name in cost.outputs:
            return
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
        splits = [s for s in ("train", "validation") if s in self.spec.data.splits or folded]
        evaluated = [m.column for m in self.spec.metrics if not isinstance(m, StepMetric)]
        measures = list(dict.fromkeys(["cost", "accuracy", *evaluated]))
        columns = [f"{split}_{measure}" for split in splits for measure in measures]
        for path, column in self.monitored():
            split, _, measure = column.partition("_")
            if column in columns:
                continue
            if split == "validation" and measure in measures:
                self.problem(
                    path,
                    f"'{column}' will not be measured: the data has no validation split",
                    hint="hold examples out with data.validation, for example 0.1",
                )
                continue
            hint = did_you_mean(suggest(column, columns))
            if split == "test" and not hint:
                hint = "the test split is looked at once, after training"
            self.problem(path, f"no column '{column}' will be measured", f"one of {listing(columns)}", hint)

    # -- ensemble ----------------------------------------------------------------

    def ensemble(self) -> None:
        """Examples that judge an ensemble: all of its members must have held them out."""
        sweep, splits = self.spec.sweep, self.spec.data.splits
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
        """The layers that start from another run are layers of this net."""
        transfer = self.spec.from_
        names = layer_names(self.spec.layers)
        for index, name in enumerate((transfer.layers if transfer is not None else None) or ()):
            if name not in names:
                self.problem(
                    f"from.layers.{index}",
                    f"there is no layer '{name}' to start from another run",
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

    def monitored(self) -> Iterator[tuple[str, str]]:
        schedule = self.spec.schedule
        if schedule.early_stopping is not None:
            yield "schedule.early_stopping.monitor", schedule.early_stopping.monitor
        watched = getattr(schedule.learning_rate, "monitor", None)
        if isinstance(watched, str):
            yield "schedule.learning_rate.monitor", watched
        if self.spec.sweep is not None and self.spec.sweep.monitor is not None:
            yield "sweep.monitor", self.spec.sweep.monitor
