"""The intermediate representation: single assignment, a flat list of nodes in order of execution.

A graph is a value: passes make new ones. What training changes is stated
beside the nodes: `updates` pairs the old value of a parameter with its new
one, and nothing is written in place until lowering decides so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar

from nnctl.late import dataclass
from nnctl.ops.shapes import TensorType, show
from nnctl.ops.table import Op

Role: TypeAlias = Literal["parameter", "optimizer state", "state", "statistic", "data", "seed", "feed", "computed"]
"""Origin of a value.

parameter: trained; optimizer state: what the update rule keeps of a parameter; state: what a layer keeps from
step to step, without a gradient; statistic: fixed numbers of the
training set; data: a whole data set; seed: the key of the random numbers; feed:
given anew each step; computed: the output of a node.
"""


class Value:
    """One tensor. Values are compared by identity; the name is for people, and only a builder gives it.

    batched: whether the first axis counts the examples of a step, or several rows of each.
    """

    __slots__ = ("batched", "name", "role", "shape", "type")

    def __init__(self, name: str, type: TensorType, role: Role = "computed") -> None:
        self.name = name
        self.type = type
        self.role: Role = role
        self.shape: tuple[Any, ...] = type.shape
        self.batched = type.batched

    def __repr__(self) -> str:
        return f"{self.name} {self.type.dtype}{show(self.type.shape)}"


class Form:
    """The common part of nodes that differ in their values and layers alone: equal layers have it in common.

    inputs, outputs: types. Compared by identity: what is found out of a node by its form is found out once for all
    layers that are alike, and again where two forms that are equal are not one object.
    """

    __slots__ = ("attributes", "inputs", "op", "outputs")

    def __init__(self, op: Op, inputs: tuple[TensorType, ...], attributes: Mapping[str, Any]) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.outputs = op.infer(inputs, attributes)


_MOST_FORMS = 1 << 14
"""Forms that are known, at most."""
_forms: dict[Any, Form] = {}


def form_of(op: Op, inputs: tuple[TensorType, ...], attributes: Mapping[str, Any]) -> Form:
    """The form of nodes. Raises ValueError with words on what does not fit."""
    # Numbers that are equal need not be the same: -0.0 and 0.0, 1 and True.
    given = [(name, type(x), repr(x) if type(x) is float else x) for name, x in attributes.items()]
    key = op, inputs, tuple(given)
    known = _forms.get(key)
    if known is None:
        if len(_forms) >= _MOST_FORMS:
            _forms.clear()
        known = _forms[key] = Form(op, inputs, attributes)
    return known


class Node:
    """One op applied to values, on behalf of a layer ("" for the step as a whole). It never changes.

    sound: whether its types are known to be what the op makes of its inputs'.
    """

    # Thousands of layers have ten thousands of nodes, and passes read all of them again and again.
    __slots__ = ("_form", "attributes", "inputs", "layer", "op", "outputs", "sound")

    def __init__(
        self,
        op: Op,
        inputs: tuple[Value, ...],
        outputs: tuple[Value, ...],
        attributes: Mapping[str, Any] = MappingProxyType({}),
        layer: str = "",
        *,
        form: Form | None = None,
    ) -> None:
        """See the class. form: where the outputs' types were made by it."""
        self.op = op
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
        self.layer = layer
        self.sound = form is not None
        self._form = form

    @property
    def form(self) -> Form:
        """The part that it shares with nodes of equal layers. Raises ValueError where the inputs do not fit the op."""
        form = self._form
        if form is None:
            form = self._form = form_of(self.op, tuple([v.type for v in self.inputs]), self.attributes)
        return form

    def defect(self) -> str | None:
        """The fault of the node in itself, in words; None for a sound one, which is then known to be so."""
        if self.sound:
            return None
        try:
            inferred = self.form.outputs
        except ValueError as error:
            return f"{self.op.name} of {self.inputs}: {error}"
        outputs = self.outputs
        if inferred != tuple([v.type for v in outputs]):
            return f"{self.op.name} of {self.inputs} gives {inferred}, the graph says {outputs}"
        for value in outputs:
            if value.role != "computed":
                return f"{self.op.name} writes the {value.role} {value!r}"
        if len(outputs) > 1 and len(set(outputs)) < len(outputs):
            again = next(value for value in outputs if outputs.count(value) > 1)
            return f"{self.op.name} gives {again!r} twice"
        self.sound = True
        return None

    def with_inputs(self, replaced: Mapping[Value, Value]) -> Node:
        """The same node reading other values."""
        if replaced.keys().isdisjoint(self.inputs):
            return self
        inputs = tuple([replaced.get(v, v) for v in self.inputs])
        return Node(self.op, inputs, self.outputs, self.attributes, self.layer)


Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Graph:
    """A computation.

    outputs: what the caller reads, by name.
    updates: new value of each parameter or state that changes.
    guard: nodes after it run only while this value is finite: a step whose cost is
        not a number leaves the parameters as they were.
    """

    name: str
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Value]
    updates: Mapping[Value, Value] = field(default_factory=dict)
    guard: Value | None = None

    @cached_property
    def inputs(self) -> tuple[Value, ...]:
        """Values that no node computes, in order of first use."""
        used = [v for node in self.nodes for v in node.inputs]
        used += [*self.outputs.values(), *self.updates, *self.updates.values()]
        return tuple(dict.fromkeys(v for v in used if v.role != "computed"))

    @cached_property
    def results(self) -> tuple[Value, ...]:
        """Every value that must be computed."""
        guard = [self.guard] if self.guard is not None else []
        return tuple(dict.fromkeys([*self.outputs.values(), *guard, *self.updates.values()]))

    @cached_property
    def producers(self) -> Mapping[Value, Node]:
        """The node that computes each computed value."""
        return {output: node for node in self.nodes for output in node.outputs}

    @cached_property
    def readers(self) -> Mapping[Value, Sequence[Node]]:
        """The nodes that read each value, in order."""
        readers: defaultdict[Value, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for value in node.inputs:
                found = readers[value]
                if not found or found[-1] is not node:
                    found.append(node)
        return dict(readers)

    @cached_property
    def _derived(self) -> dict[Hashable, Any]:
        return {}

    def once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """A thing made of this graph, which never changes: the one that was made before by this key, or a new one."""
        if key not in self._derived:
            self._derived[key] = make()
        made: Made = self._derived[key]
        return made

    def rebuilt(self, nodes: Iterable[Node], replaced: Mapping[Value, Value] | None = None) -> Graph:
        """This graph with other nodes, and its results renamed by `replaced`; itself where nothing is another."""
        known, kept = replaced or {}, tuple(nodes)
        if not known and kept == self.nodes:
            return self
        return Graph(
            self.name,
            kept,
            {name: known.get(v, v) for name, v in self.outputs.items()},
            {old: known.get(new, new) for old, new in self.updates.items()},
            None if self.guard is None else known.get(self.guard, self.guard),
        )
