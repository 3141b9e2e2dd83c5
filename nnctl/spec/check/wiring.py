"""Consistency of the layers: their names, the graph that they form, and the sequences that they scan."""

from __future__ import annotations

import re

from nnctl.components.base import Layer
from nnctl.errors import MOST_PROBLEMS, Diagnostic
from nnctl.spec.check.contradictions import Contradictions
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest
from nnctl.spec.messages.wording import listing
from nnctl.spec.naming import names_of

NET_INPUT = "input"
"""The name of the net's own input in a layer's `inputs`."""

MOST_LAYERS = 4096
"""Layers of a net, each repetition counted. The deepest nets that were ever of use have a thousand."""

_NAME = re.compile(r"[^\W\d][\w-]*")


def layer_names(layers: tuple[Layer, ...]) -> list[str]:
    """Names of the layers of a list: the spec's, or the type and a count among the unnamed."""
    return names_of((layer.type, layer.name) for layer in layers)


class Wiring(Contradictions):
    """The checks of the layers."""

    def check(self) -> None:
        """Add all problems of the layers."""
        if self.too_many():
            return
        self.root_list()
        self.nested(self.spec.layers, "layers")
        self.sequences(self.spec.layers, "layers")

    def too_many(self) -> bool:
        """True, and a problem, where there are more layers than any net is built of, each repetition counted."""
        before = len(self.problems)
        total = sum(self.counted(layer, f"layers.{index}") for index, layer in enumerate(self.spec.layers))
        if total > MOST_LAYERS and len(self.problems) == before:
            self.problem("layers", f"these are {total:,} layers", f"at most {MOST_LAYERS:,}")
        return len(self.problems) > before

    def counted(self, layer: Layer, path: str) -> int:
        """The number of layers that a layer is, those inside it included; a problem where it repeats too many."""
        inside = sum(
            self.counted(inner, f"{path}.{field_name}.{number}")
            for field_name, chain in layer.children.items()
            for number, inner in enumerate(chain)
        )
        total = 1 + layer.copies * inside
        if total > MOST_LAYERS >= 1 + inside:
            words = f"{layer.copies:,} times {inside:,} layers are {layer.copies * inside:,}"
            self.problem(f"{path}.times", words, f"at most {MOST_LAYERS:,} in all")
        return total

    def root_list(self) -> None:
        """The graph of the root list: each layer's inputs among the layers there are."""
        layers = self.spec.layers
        names = layer_names(layers)
        before = len(self.problems)
        self.distinct(layers, names, "layers")
        read = {names[-1]}
        position = {name: index for index, name in reversed(list(enumerate(names)))}
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
                if name != NET_INPUT and position.get(name, index) >= index:
                    self.misread(f"{path}.inputs.{number}", name, index, names)
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

    def misread(self, path: str, name: str, index: int, names: list[str]) -> None:
        """The problem of an input `name` of layer `index` that is neither the net's input nor an earlier layer."""
        reader, earlier = names[index], [NET_INPUT, *names[:index]]
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
            hint = did_you_mean(suggest(name, earlier)) if len(self.problems) < MOST_PROBLEMS else ""
            self.problem(
                path, f"there is no layer '{name}' to read", f"the name of an earlier layer: {listing(earlier)}", hint
            )

    def distinct(self, layers: tuple[Layer, ...], names: list[str], path: str) -> None:
        """Names of the layers of a list: well formed, and no two alike."""
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
            for field_name, inner in layer.children.items():
                inside = f"{path}.{index}.{field_name}"
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
            obstacle = self.break_between_batches() if layer.keeps_state else None
            if obstacle is not None:
                why, hint = obstacle
                self.problem(f"{here}.stateful", f"'{layer.type}' cannot carry its state: {why}", hint=hint)
            if layer.reads_ahead and self.spec.data.predicts_next:
                self.problem(
                    f"{here}.bidirectional",
                    f"read backwards, data of type {self.spec.data.type} gives away its targets: "
                    "each is the step that comes next",
                    hint="remove 'bidirectional'",
                )
            for field_name, inner in layer.children.items():
                self.sequences(inner, f"{here}.{field_name}")

    def break_between_batches(self) -> tuple[str, str] | None:
        """The reason that batches of the data do not follow one another, and what to do; None where they do."""
        data = self.spec.data
        if not data.contiguous:
            return (
                f"with data of type {data.type}, batches do not go on where the ones before ended",
                "remove 'stateful', or use data of type text with contiguous: true",
            )
        if not data.ordered:
            return (
                "windows held out at random do not follow one another",
                "remove 'stateful', or let data.split be ordered, as it is if absent",
            )
        return None
