"""The builder: components and derivative rules call it, nodes come out in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from nnctl.components.base import ElementwiseActivation, Initializer, Layer, Regularizer
from nnctl.components.builder import Resuming, UnitView
from nnctl.components.registry import owner
from nnctl.errors import FormulaError, ShapeError, UsageError
from nnctl.graph import interface
from nnctl.graph.arrays import LayerState, Parameter
from nnctl.graph.differentiate import differentiate
from nnctl.graph.formulas import formula_of, op_of
from nnctl.graph.ir import Form, Graph, Node, Role, Value, form_of
from nnctl.graph.tensor import Tensor
from nnctl.ops import OPS
from nnctl.ops.shapes import DType, Shape, TensorType
from nnctl.ops.table import Op

_NONE: Mapping[str, Any] = MappingProxyType({})
"""Attributes of a node that has none."""


class GraphBuilder:
    """Collects nodes. It is the `Builder` that components see, and what differentiation writes with.

    training: whether random layers are active. resuming: the recurrent layers that resume where the step before ended;
        if None, those of stateful layers in training, else none.
    convention: the spec's. vocabulary: number of different indices of the input. label_axes: see `Builder`.
    """

    def __init__(
        self,
        name: str,
        *,
        training: bool = False,
        resuming: Resuming | None = None,
        convention: str = "torch",
        vocabulary: int | None = None,
        label_axes: int = 1,
    ) -> None:
        self.name = name
        self.training = training
        self.resuming: Resuming = resuming or ("stateful" if training else "none")
        self.convention = convention
        self.vocabulary = vocabulary
        self.label_axes = label_axes
        self.counted: Tensor | None = None
        self.nodes: list[Node] = []
        self.inputs: dict[str, Value] = {}
        self.parameters: dict[str, Parameter] = {}
        self.states: dict[str, LayerState] = {}
        self.new_states: dict[Value, Value] = {}
        """New value of each state that this step changes."""
        self.positions: dict[str, int] = {}
        """Numbers of each example that a layer takes statistics of, by the layers that take them over a batch."""
        self.seed: Tensor | None = None
        self.step: Tensor | None = None
        self._names: dict[str, int] = {}
        self.layer = ""
        """The path of the layer being built, "" outside of layers."""
        self._streams = 0
        self.frozen = False
        self._differentiable: set[Value] | None = None

    @classmethod
    def extending(cls, graph: Graph, *, training: bool = False, convention: str = "torch") -> GraphBuilder:
        """A builder that continues `graph`."""
        builder = cls(graph.name, training=training, convention=convention)
        builder.nodes = list(graph.nodes)
        builder.inputs = {v.name: v for v in graph.inputs}
        for name in (*builder.inputs, *(v.name for node in graph.nodes for v in node.outputs)):
            builder._names[name] = 1
        builder._streams = 1 + max((node.attributes.get("stream", -1) for node in graph.nodes), default=-1)
        return builder

    def branch(self, name: str) -> GraphBuilder:
        """A builder for a graph called `name` that goes on from here; this one does not see what it builds."""
        other = copy(self)
        other.name = name
        for attribute, value in vars(self).items():
            if isinstance(value, (dict, list)):
                setattr(other, attribute, value.copy())
        return other

    # -- names ---------------------------------------------------------------

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names inside are `<outer>.<name>.…`."""
        with self.on_behalf_of(f"{self.layer}.{name}" if self.layer else name):
            yield

    @contextmanager
    def on_behalf_of(self, layer: str) -> Iterator[None]:
        """Nodes inside belong to `layer`, as the gradient of a layer does."""
        outer, self.layer = self.layer, layer
        try:
            yield
        finally:
            self.layer = outer

    def _unique(self, name: str) -> str:
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else self._unique(f"{name}_{count + 1}")

    def _activation_name(self, function: Any, inputs: Sequence[Any]) -> str | None:
        """`<layer>.a` for a layer's activation, whose input then becomes `<layer>.z`: the texts' names."""
        if not self.layer or not (isinstance(function, ElementwiseActivation) or function == "softmax"):
            return None
        z = inputs[0].value
        if z.role == "computed" and z.name.startswith(f"{self.layer}."):
            z.name = self._unique(f"{self.layer}.z")
        return f"{self.layer}.a"

    # -- values --------------------------------------------------------------

    def tensor(self, value: Value) -> Tensor:
        """A handle on an existing value."""
        return Tensor(self, value)

    def input(self, name: str, shape: Shape, dtype: DType = "real", role: Role = "feed") -> Tensor:
        """The input called `name`, the same one each time. Raises ValueError where its type changes."""
        shape = tuple(shape)
        known = self.inputs.get(name)
        if known is None:
            known = self.inputs[name] = Value(self._unique(name), TensorType(shape, dtype), role)
        if known.shape != shape or known.type.dtype != dtype:
            raise ValueError(f"the input {known!r} is asked for as {TensorType(shape, dtype)}")
        return Tensor(self, known)

    def parameter(
        self,
        name: str,
        shape: Sequence[int],
        *,
        kind: str,
        fans: tuple[int, int],
        initializer: Initializer | None = None,
        regularizer: Regularizer | None = None,
        default: Initializer | None = None,
        units: UnitView | None = None,
    ) -> Tensor:
        """See `nnctl.components.builder.Builder`. Building the same layer again gives the same array."""
        path = f"{self.layer}.{name}"
        tensor = self.input(path, tuple(shape), role="parameter")
        self.parameters[path] = Parameter(
            tensor.value, self.layer, kind, fans, initializer, regularizer, default, self.frozen, units
        )
        return tensor

    def parameter_of(self, layer: str, name: str) -> Tensor:
        """See `nnctl.components.builder.Builder`."""
        parameter = self.parameters.get(f"{layer}.{name}")
        if parameter is None:
            having = [p.layer for p in self.parameters.values() if p.name == f"{p.layer}.{name}"]
            close = get_close_matches(layer, having, 1)
            known = f"layers before it that have one: {', '.join(having) or 'none'}"
            raise ShapeError(
                f"there is no layer '{layer}' with a {name} before this one",
                f"did you mean '{close[0]}'?" if close else known,
            )
        return Tensor(self, parameter.value)

    def state(self, name: str, shape: Sequence[Any], initial: float = 0.0) -> Tensor:
        """See `nnctl.components.builder.Builder`."""
        path = f"{self.layer}.{name}"
        tensor = self.input(path, tuple(shape), role="state")
        self.states[path] = LayerState(tensor.value, self.layer, initial)
        return tensor

    def set_state(self, state: Any, new: Any) -> None:
        """See `nnctl.components.builder.Builder`."""
        # A running mean of momentum 0 stays what it is.
        if new.value is not state.value and (self.training or self.resuming != "none"):
            self.new_states[state.value] = new.value

    def across_examples(self, positions: int) -> None:
        """See `nnctl.components.builder.Builder`."""
        self.positions[self.layer] = positions

    # -- nodes ---------------------------------------------------------------

    def emit(
        self, op: Op, inputs: Sequence[Tensor], attributes: Mapping[str, Any] | None = None, name: str | None = None
    ) -> tuple[Tensor, ...]:
        """Append a node. Raises ShapeError where the inputs do not fit the op."""
        given = tuple([t.value for t in inputs])
        try:
            form = form_of(op, tuple([v.type for v in given]), attributes or _NONE)
        except ValueError as error:
            raise ShapeError(str(error)) from error
        return tuple([Tensor(self, v) for v in self.again(form, given, name)])

    def again(self, form: Form, inputs: Sequence[Value], name: str | None = None) -> tuple[Value, ...]:
        """Append a node of a form, to which these inputs are known to fit; what it makes.

        name: of its outputs; by the layer and the op if None.
        """
        layer, op = self.layer, form.op
        base = name if name is not None else (f"{layer}.{op.name}" if layer else op.name)
        outputs = tuple([Value(self._unique(base), t) for t in form.outputs])
        self.nodes.append(Node(op, tuple(inputs), outputs, form.attributes, layer, form=form))
        return outputs

    def apply(self, op: str, *inputs: Any, **attributes: Any) -> Tensor:
        """One node of a structured op of the table; what changes nothing gives no node."""
        if op in ("reshape", "broadcast_to", "sum_to") and tuple(attributes["shape"]) == inputs[0].shape:
            return self._tensor(inputs[0])
        return self.apply_all(op, *inputs, **attributes)[0]

    def apply_all(self, op: str, *inputs: Any, **attributes: Any) -> tuple[Tensor, ...]:
        """One node of a structured op, with all of its outputs."""
        frozen = {k: tuple(v) if isinstance(v, list) else v for k, v in attributes.items()}
        return self.emit(OPS[op], [self._tensor(t) for t in inputs], frozen, self._activation_name(op, inputs))

    def elementwise(self, component: Any, *inputs: Any) -> Tensor:
        """One node from a component's `body` and `derivative`."""
        name = self._activation_name(component, inputs)
        try:
            return self.emit(op_of(component, len(inputs)), [self._tensor(t) for t in inputs], name=name)[0]
        except FormulaError as error:
            raise _with_owner(error) from error

    def formula(self, name: str, function: Callable[..., Any], *inputs: Any, settled: Sequence[int] = ()) -> Any:
        """One node from `function(xp, *inputs)`; numbers among the inputs become constants of it.

        settled: see `nnctl.components.builder.Builder`.
        Gives a tuple of tensors where the function does, and None where it comes to the constant 0.
        """
        numbers = [None if isinstance(v, Tensor) else float(v) for v in inputs]
        try:
            formula = formula_of(name, function, numbers, settled)
        except FormulaError as error:
            raise _with_owner(error) from error
        if formula.op is None:
            return None if formula.result is None else inputs[formula.result]
        outputs = self.emit(formula.op, [inputs[i] for i in formula.used])
        return outputs if len(outputs) > 1 else outputs[0]

    def _tensor(self, tensor: Any) -> Tensor:
        if not isinstance(tensor, Tensor):
            raise TypeError(f"an op takes tensors, got {tensor!r}")
        return tensor

    # -- randomness ----------------------------------------------------------

    def uniform(self, name: str, shape: Sequence[Any]) -> Tensor:
        """See `nnctl.components.builder.Builder`."""
        return self._random("uniform", name, shape)

    def normal(self, name: str, shape: Sequence[Any]) -> Tensor:
        """See `nnctl.components.builder.Builder`."""
        return self._random("normal", name, shape)

    def _random(self, op: str, name: str, shape: Sequence[Any]) -> Tensor:
        seed = self.input(interface.SEED, (2,), "index", "seed")
        step = self.input(interface.STEP, (), "index", "feed")
        stream = self._streams
        self._streams += 1
        attributes = {"stream": stream, "shape": tuple(shape)}
        return self.emit(OPS[op], [seed, step], attributes, f"{self.layer}.{name}")[0]

    # -- layers --------------------------------------------------------------

    def build(self, layer: Layer, *inputs: Any) -> Any:
        """Build a nested layer under the current layer's name, itself named by type and count unless it says."""
        with self.scope(layer.name or self.fresh_layer(layer.type)):
            return self.build_here(layer, *inputs)

    def build_here(self, layer: Layer, *inputs: Any) -> Any:
        """Build a layer under the current scope. Raises ShapeError naming it."""
        outer, self.frozen = self.frozen, self.frozen or layer.frozen
        try:
            return layer.build(self, *inputs)
        except ShapeError as error:
            if not error.layer:
                error.layer = self.layer
            raise
        finally:
            self.frozen = outer

    def fresh_layer(self, type_name: str) -> str:
        """The name of an unnamed layer: its type and a count."""
        key = f"{self.layer}/{type_name}"
        self._names[key] = self._names.get(key, 0) + 1
        return f"{type_name}{self._names[key]}"

    # -- differentiation -----------------------------------------------------

    @contextmanager
    def differentiating(self, values: set[Value]) -> Iterator[None]:
        """Inside, `differentiable` tells which values a gradient is wanted of."""
        outer, self._differentiable = self._differentiable, values
        try:
            yield
        finally:
            self._differentiable = outer

    def differentiable(self, tensor: Any) -> bool:
        """True where anything wants the gradient of this tensor."""
        return self._differentiable is None or tensor.value in self._differentiable

    def pull_back(
        self, function: Callable[..., Sequence[Any]], inputs: Sequence[Any], gradients: Sequence[Any]
    ) -> list[Any]:
        """The gradients of `inputs` that belong to given ones of the outputs of function(*inputs).

        function: builds nodes, and they are differentiated by their own rules. gradients: None
        where there is none. For ops whose derivative is easier built than stated.
        """
        # Stand-ins for the inputs, because what the gradients are made of may depend on the inputs too.
        leaves = [Tensor(self, Value(x.value.name, x.value.type, "feed")) for x in inputs]
        start = len(self.nodes)
        total: Any = None
        for output, gradient in zip(function(*leaves), gradients, strict=True):
            if gradient is not None:
                part = self.apply("sum", output * gradient, axes=tuple(range(len(output.shape))))
                total = part if total is None else total + part
        results = [None] * len(leaves) if total is None else differentiate(self, total, leaves)
        real = {leaf.value: x.value for leaf, x in zip(leaves, inputs, strict=True)}
        self.nodes[start:] = [node.with_inputs(real) for node in self.nodes[start:]]
        return [None if g is None else self.tensor(real.get(g.value, g.value)) for g in results]

    def graph(
        self, outputs: Mapping[str, Tensor], updates: Mapping[Value, Tensor] | None = None, guard: Tensor | None = None
    ) -> Graph:
        """The graph of all that was built."""
        return Graph(
            self.name,
            tuple(self.nodes),
            {name: t.value for name, t in outputs.items()},
            {old: t.value for old, t in (updates or {}).items()},
            None if guard is None else guard.value,
        )


def _with_owner(error: FormulaError) -> UsageError:
    """The fault of a formula, told with the component, and the plugin, that it is of."""
    return error.of(owner(error.module, error.body))
