"""From a network and one example to its trace: the step's graph computed value by value, in words and numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from nnctl.analysis.trace.formulas import formula_of, words_on
from nnctl.analysis.trace.scans import omitted, scan_of
from nnctl.analysis.trace.stages import Array, Drawn, Line, Phase, Quantity, Stage, Trace, places
from nnctl.analysis.trace.step import TracedStep, phase_of, traced_step
from nnctl.analysis.trace.substitution import Writer
from nnctl.components.base import ElementwiseActivation
from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.graph.ir import Node, Value
from nnctl.graph.network import Network
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.shapes import resolve

_TITLES: Mapping[Phase, str] = {
    "example": "The example",
    "forward": "Forward",
    "cost": "The cost",
    "backward": "Backward",
    "regularizer": "The regularizer's part",
    "clipping": "Clipping",
    "update": "The update",
}
_MOVES = ("cast", "reshape", "one_hot")
"""Ops that give the targets the form in which the cost compares with them."""
_SCANNED: Mapping[str, tuple[str, ...]] = {
    "rnn": ("h",),
    "leaky_rnn": ("h",),
    "lstm": ("h", "c", "gates"),
    "gru": ("h", "gates"),
    "rnn_gradient": ("δ", "∂C/∂h₀"),
    "lstm_gradient": ("δ", "∂C/∂h₀", "∂C/∂c₀"),
    "gru_gradient": ("δ", "∂C/∂s", "∂C/∂h₀"),
}
"""Names of what a scan gives, each of all steps."""
_PRODUCTS = ("matmul", "convolution")
"""Ops that are written within the sum with a bias that they are the first term of."""


def trace(
    network: Network,
    given: Mapping[str, Any],
    *,
    facts: Mapping[str, Any] | None = None,
    words: Sequence[str] = (),
    updated: Mapping[str, Array] | None = None,
    digits: int = 5,
) -> Trace:
    """One example's step, computed in float64.

    given: by the names of `nnctl.graph.interface`, all that the training step reads, of a data set of one example:
    parameters, states, the data, rates. updated: new values by name, where the optimizer has no formula for one weight.
    digits: significant ones of the numbers that are put into formulas.
    """
    step = traced_step(network)
    values = {c.value: c.array for c in evaluate(step.graph, given, interface.sizes(1, 1))}
    teller = _Teller(network, step, values, Writer(digits))
    stages = [*teller.stages(), *teller.whole_update(given, updated or {})]
    return Trace(dict(facts or {}), tuple(words), tuple(stages), teller.drawn())


class _Teller:
    """Words, formulas and numbers on each value of a step."""

    def __init__(self, network: Network, step: TracedStep, values: Mapping[Value, Array], write: Writer) -> None:
        self.network, self.step, self.values, self.write = network, step, values, write
        self.graph = step.graph
        self.producers, self.readers = self.graph.producers, self.graph.readers
        self.phases = self._phases()
        self._name_as_texts_do()
        self.changed: dict[Value, list[Value]] = {}
        for old, new in self.graph.updates.items():
            self.changed.setdefault(new, []).append(old)
        self.parameters: dict[Value, list[str]] = {}
        for name, value in (*step.gradients.items(), *step.of_cost.items()):
            if name not in step.of_cost or value is step.of_cost[name]:
                self.parameters.setdefault(value, []).append(name)
        layers = network.structure.layers
        self.formulas = {built.path: layer.formula for built, layer in zip(layers, network.spec.layers, strict=True)}
        self.types = {built.path: built.type for built in layers}
        self.outputs = self._outputs()
        self.weighted = self._weighted_inputs()

    # -- where values belong ---------------------------------------------------

    def _phases(self) -> dict[Node, Phase]:
        found: dict[Node, Phase] = {}
        phase: Phase = "example"
        for node in self.graph.nodes:
            phase = phase_of(self.step, node, phase)
            of_data = node.layer == "data" or (node.op.name == "gather" and node.inputs[0].role == "data")
            found[node] = "example" if of_data else phase
        return found

    def _name_as_texts_do(self) -> None:
        """Call what is read of the data x and y, and the objective C, or C₀ where a penalty comes to it."""
        names = {interface.TARGETS: "y", interface.EXAMPLE_WEIGHTS: "weight of the example"}
        seen = [node.outputs[0] for node in self.graph.nodes if node.layer == "data"]
        for value in seen:
            value.name = "x as it is stored" if value is not seen[-1] else "x"
        for node in self.graph.nodes:
            (value, *_) = node.outputs
            if node.op.name == "gather" and node.inputs[0].name in names:
                value.name = names[node.inputs[0].name]
            elif node.op.name in _MOVES and node.layer == "cost" and node.inputs[0].name == "y":
                value.name = "y"
            for value, name in zip(node.outputs, _SCANNED.get(node.op.name, ())):
                value.name = f"{node.layer}.{name}"
        outputs = self.graph.outputs
        outputs[interface.OBJECTIVE].name = "C"
        if interface.PENALTY in outputs:
            outputs[interface.COST].name, outputs[interface.PENALTY].name = "C₀", "C − C₀"

    def _outputs(self) -> dict[str, Value]:
        """The last value of each layer's way forward, by its path."""
        found = {node.layer: node.outputs[0] for node in self.graph.nodes if self.phases[node] == "forward"}
        return found | {self.network.structure.layers[-1].path: self.step.output}

    def _weighted_inputs(self) -> dict[str, str]:
        """The layer by the name of its weighted input z; of a layer without an activation z is its output."""
        found: dict[str, str] = {}
        active: set[str] = set()
        for node in self.graph.nodes:
            component = node.op.component if isinstance(node.op, ElementwiseOp) else None
            if self.phases[node] == "forward" and (
                isinstance(component, ElementwiseActivation) or node.op.name == "softmax"
            ):
                found[node.inputs[0].name] = node.layer
                active.add(node.layer)
        having = {parameter.layer for parameter in self.network.structure.parameters.values()}
        plain = {layer: value for layer, value in self.outputs.items() if layer in having and layer not in active}
        return found | {value.name: layer for layer, value in plain.items() if self._reads_parameters(value)}

    def _reads_parameters(self, value: Value) -> bool:
        """True of a sum or product with parameters, whatever shape it is given."""
        node = self.producers.get(value)
        while node is not None and node.op.name == "reshape":
            node = self.producers.get(node.inputs[0])
        return node is not None and any(each.role == "parameter" for each in node.inputs)

    # -- stages ----------------------------------------------------------------

    def stages(self) -> Iterator[Stage]:
        """The stages in their order; what an example is read from comes first."""
        order: tuple[Phase, ...] = tuple(_TITLES)
        nodes = sorted(self.graph.nodes, key=lambda node: order.index(self.phases[node]))
        by_layer = ("forward", "backward", "update")

        def key(node: Node) -> tuple[Phase, str]:
            phase = self.phases[node]
            return phase, node.layer if phase in by_layer else ""

        for (phase, layer), group in groupby(nodes, key):
            within = list(group)
            quantities = [quantity for node in within for quantity in self._quantities(node)]
            if quantities:
                title = f"{_TITLES[phase]}: {layer}" if layer else _TITLES[phase]
                yield Stage(phase, layer, title, tuple(quantities), tuple(self._words(phase, layer, within)))

    def _words(self, phase: Phase, layer: str, nodes: Sequence[Node]) -> Iterator[str]:
        spec = self.network.spec
        if phase == "forward":
            root = layer if layer in self.formulas else layer.partition(".")[0]
            if self.formulas.get(root):
                yield f"{self.types[root]}: {self.formulas[root]}"
        elif phase == "cost":
            yield f"{spec.cost.type}: {spec.cost.formula}"
            if self._paired():
                yield "it is computed from z and not from a, so that it neither overflows nor meets ln 0"
        elif phase == "backward" and layer == "cost" and self._paired():
            yield "with this cost the slope of the last activation cancels: δ = a − y"
        elif phase == "regularizer":
            kinds = {r.type: r for r in self.network.structure.regularizers.values() if r.penalizes}
            yield from (f"{kind}: {each.formula}" for kind, each in kinds.items())
            yield "C = C₀ + the penalty, C₀ the cost alone, n the number of training examples"
        elif phase == "clipping" and spec.optimizer.clipping is not None:
            yield f"{spec.optimizer.clipping.type}: {spec.optimizer.clipping.formula}"
        elif phase == "update":
            yield f"{spec.optimizer.type}: {spec.optimizer.formula}"
        for node in nodes:
            if node.op.name in _SCANNED and (said := omitted(int(self.values[node.outputs[0]].shape[1]))):
                yield said
            if node.outputs[0].name.endswith(".pooled") and phase == "forward":
                yield "the maximum is taken before bias and activation: nothing changes, and there is less to compute"
                break

    def _paired(self) -> bool:
        """True where the cost and the last activation are one op, as cross-entropy and sigmoid are."""
        activation = self.network.spec.layers[-1].output_activation
        pair = "" if activation is None else f"{activation.type}_{self.network.spec.cost.type}"
        return any(node.op.name == pair for node in self.graph.nodes)

    def whole_update(self, given: Mapping[str, Any], updated: Mapping[str, Array]) -> Iterator[Stage]:
        """The update by an optimizer that looks at the whole objective: old and new values."""
        optimizer = self.network.spec.optimizer
        changed = []
        for name in self.step.gradients:
            if name in updated:
                new, old = (np.asarray(a, np.float64) for a in (updated[name], given[name]))
                lines = tuple(
                    Line(place, f"{self.write.number(old[place])} + {self.write.number(new[place] - old[place])}",
                         float(new[place]))
                    for place in places(new - old)
                )  # fmt: skip
                changed.append(Quantity(name, f"{name} + Δ{name}", new, lines, before=old))
        if changed:
            said = (f"{optimizer.type}: {optimizer.formula}", "it looks at all parameters at once; Δ is what it found")
            yield Stage("update", "", _TITLES["update"], tuple(changed), said)

    # -- one node ----------------------------------------------------------------

    def _quantities(self, node: Node) -> Iterator[Quantity]:
        if self._within_a_sum(node.outputs[0]):
            return
        arrays = [self.values[value] for value in node.inputs]
        attributes = {name: resolve(value, interface.sizes(1, 1)) for name, value in node.attributes.items()}
        inner = {place: v for place, v in enumerate(node.inputs) if self._within_a_sum(v)}
        written = {value: formula_of(self.producers[value]) for value in inner.values()}
        for number, value in enumerate(node.outputs):
            array = self.values[value]
            alone = value.batched and len(array) == 1
            lines = []
            olds = self.changed.get(value)
            shown = array if not olds else array - self.values[olds[0]]
            for place in places(shown[0] if alone else shown):
                index = (0, *place) if alone else place
                texts = {at: self._product(v, index) for at, v in inner.items()}
                text = self.write.of(node, arrays, attributes, number, index, texts)
                if text and array.dtype.kind == "f":
                    lines.append(Line(place, text, float(array[index])))
            formula = formula_of(node, number, written)
            said = words_on(node) if number == 0 else ""
            for old in olds or (None,):
                yield Quantity(
                    value.name if old is None else old.name,
                    formula,
                    array,
                    tuple(lines),
                    self._equation(value),
                    said,
                    None if old is None else self.values[old],
                    of_example=alone,
                )
        yield from scan_of(node, arrays, [self.values[v] for v in node.outputs], attributes, self.write)

    def _within_a_sum(self, value: Value) -> bool:
        """True of a product that only the sum with its bias reads: the two are told as one."""
        node = self.producers.get(value)
        if node is None or node.op.name not in _PRODUCTS or self.phases[node] != "forward":
            return False
        readers = self.readers.get(value, [])
        if len(readers) != 1 or value in self.graph.results:
            return False
        (reader,) = readers
        added = isinstance(reader.op, ElementwiseOp) and [line.primitive for line in reader.op.expression.lines] == [
            "add"
        ]
        return added and reader.outputs[0].shape == value.shape and any(v.role == "parameter" for v in reader.inputs)

    def _product(self, value: Value, index: tuple[int, ...]) -> str:
        node = self.producers[value]
        attributes = {name: resolve(each, interface.sizes(1, 1)) for name, each in node.attributes.items()}
        return self.write.of(node, [self.values[v] for v in node.inputs], attributes, 0, index)

    def _equation(self, value: Value) -> str:
        names = self.parameters.get(value)
        if names is not None and not value.name.startswith("∂(C"):
            last = names[0].rpartition(".")[2]
            return "BP3" if last.endswith("bias") else "BP4" if last.endswith("weight") else ""
        layer = self.weighted.get(value.name.removeprefix("∂C/∂")) if value.name.startswith("∂C/∂") else None
        if layer is None:
            return ""
        return "BP1" if layer == self.network.structure.layers[-1].path else "BP2"

    # -- the drawing ---------------------------------------------------------------

    def drawn(self) -> tuple[Drawn, ...]:
        """The layers of a chain of dense ones; none of another net."""
        layers = self.network.spec.layers
        if any(layer.type != "dense" or layer.inputs is not None for layer in layers):
            return ()
        paths = [built.path for built in self.network.structure.layers]
        if any(f"{path}.weight" not in self.network.structure.parameters for path in paths):
            return ()
        weighted = {layer: name for name, layer in self.weighted.items()}
        return tuple(
            Drawn(path, f"{path}.weight", self.outputs[path].name, f"∂C/∂{weighted.get(path, '')}") for path in paths
        )
