"""Reverse-mode differentiation: the equations of backpropagation, from the rules of the op table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from nnctl.graph.ir import Form, Node, Value
from nnctl.ops.shapes import TensorType

if TYPE_CHECKING:
    from nnctl.graph.builder import GraphBuilder
    from nnctl.graph.tensor import Tensor


def differentiate(builder: GraphBuilder, objective: Tensor, wrt: Sequence[Tensor]) -> list[Tensor | None]:
    """∂objective/∂w for each w in `wrt`, as new nodes of the builder; None where it is 0 by structure.

    objective: a scalar, shape (). Only nodes on a path from `wrt` to the
    objective are visited, so the gradient of the data is never computed.
    Gradients of a value read several times are summed in the reverse order of reading.
    """
    if objective.shape != ():
        raise ValueError(f"the objective must be a scalar, got {objective!r}")
    path = _path(builder.nodes, {t.value for t in wrt}, objective.value)
    nodes = [node for node in builder.nodes if not path.isdisjoint(node.outputs)]
    gradients: dict[Value, Tensor] = {}
    if objective.value in path:
        gradients[objective.value] = builder.apply("size", shape=())
    rules = _Rules(builder)
    with builder.differentiating(path), builder.on_behalf_of(builder.layer):
        for node in reversed(nodes):
            of_outputs = [gradients.get(o) for o in node.outputs]
            if of_outputs.count(None) == len(of_outputs):
                continue
            builder.layer = node.layer
            of_inputs = rules.gradients(node, of_outputs, tuple([i in path for i in node.inputs]))
            for value, gradient in zip(node.inputs, of_inputs, strict=True):
                if gradient is None or value not in path:
                    continue
                earlier = gradients.get(value)
                gradients[value] = gradient if earlier is None else earlier + gradient
    _name(gradients)
    return [gradients.get(t.value) for t in wrt]


class _Step(NamedTuple):
    """A node that a rule has made. inputs: see `_Made`."""

    form: Form
    inputs: tuple[int, ...]


class _Made(NamedTuple):
    """The outcome of a rule: its nodes, and of each input the gradient, None where there is none.

    Values are numbered: gradients of outputs, outputs, inputs, then what the nodes make.
    """

    steps: tuple[_Step, ...]
    gradients: tuple[int | None, ...]


class _Rules:
    """The rules of the op table, each followed once for nodes of a form: equal layers have equal gradients."""

    def __init__(self, builder: GraphBuilder) -> None:
        self._builder = builder
        self._known: dict[tuple[Form, tuple[TensorType | None, ...], tuple[bool, ...]], _Made | None] = {}
        """None where a rule has to be followed for each node."""

    def gradients(
        self, node: Node, of_outputs: Sequence[Tensor | None], wanted: tuple[bool, ...]
    ) -> Sequence[Tensor | None]:
        """The gradients of a node's inputs. wanted: of which inputs anything wants one."""
        values = [g.value for g in of_outputs if g is not None]
        values += node.outputs
        values += node.inputs
        key = node.form, tuple([None if g is None else g.value.type for g in of_outputs]), wanted
        # What is one value may be another matter: x·x is the square of x.
        apart = len(set(values)) == len(values)
        made = self._known.get(key) if apart else None
        if made is not None:
            return self._made_again(made, values)
        builder, start = self._builder, len(self._builder.nodes)
        tensor = builder.tensor
        found = node.op.gradients(
            builder, of_outputs, [tensor(o) for o in node.outputs], [tensor(i) for i in node.inputs], node.attributes
        )
        if apart and key not in self._known:
            self._known[key] = _recorded(builder.nodes[start:], found, values, node.layer)
        return found

    def _made_again(self, made: _Made, values: list[Value]) -> list[Tensor | None]:
        builder = self._builder
        for form, inputs in made.steps:
            values += builder.again(form, [values[i] for i in inputs])
        return [None if i is None else builder.tensor(values[i]) for i in made.gradients]


def _recorded(
    nodes: Sequence[Node], gradients: Sequence[Tensor | None], values: Sequence[Value], layer: str
) -> _Made | None:
    """The outcome of a rule by numbers of values; None where it hangs on more than these, or gives names of its own."""
    numbers = {value: number for number, value in enumerate(values)}
    steps: list[_Step] = []
    for node in nodes:
        base = f"{layer}.{node.op.name}" if layer else node.op.name
        named = all(value.name.startswith(base) for value in node.outputs)
        if not named or node.layer != layer or not numbers.keys() >= set(node.inputs):
            return None
        steps.append(_Step(node.form, tuple([numbers[value] for value in node.inputs])))
        for value in node.outputs:
            numbers[value] = len(numbers)
    return _Made(tuple(steps), tuple([None if g is None else numbers[g.value] for g in gradients]))


def _name(gradients: Mapping[Value, Tensor]) -> None:
    """Each gradient is called ∂C/∂<value>; one that serves several values is named after the deepest."""
    for value, gradient in gradients.items():
        own = gradient.value
        if own.role == "computed" and not own.name.startswith("∂"):
            own.name = f"∂C/∂{value.name}"


def _path(nodes: Sequence[Node], sources: set[Value], objective: Value) -> set[Value]:
    """Values that depend on a source and that the objective depends on."""
    dependent = set(sources)
    for node in nodes:
        if not dependent.isdisjoint(node.inputs):
            dependent.update(node.outputs)
    needed = {objective}
    for node in reversed(nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
    return dependent & needed
