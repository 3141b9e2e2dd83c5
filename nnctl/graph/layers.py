"""The way through the layers of a spec, from rows of a data set to the net's output."""

from __future__ import annotations

from collections.abc import Callable

from nnctl.components.builder import Resuming
from nnctl.components.layers.indices import Embedding
from nnctl.components.signature import DataSignature
from nnctl.errors import ShapeError
from nnctl.graph import interface
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.interface import COLUMNS
from nnctl.graph.ir import Value
from nnctl.graph.tensor import Tensor
from nnctl.late import dataclass
from nnctl.ops.shapes import BATCH, ROWS, Shape
from nnctl.spec.document import Spec


@dataclass(frozen=True)
class BuiltLayer:
    """A layer of the spec's list: its path, its type, the shapes (batch, …) of its first input and of its output."""

    path: str
    type: str
    input_shape: Shape
    output_shape: Shape


@dataclass(frozen=True, eq=False)
class BuiltNet:
    """A net up to its output, for graphs to go on from. builder: of a graph that ends there."""

    builder: GraphBuilder
    output: Value
    layers: tuple[BuiltLayer, ...]

    def branch(self, name: str) -> tuple[GraphBuilder, Tensor]:
        """A builder for a graph called `name` that begins with the net, and the net's output."""
        builder = self.builder.branch(name)
        return builder, builder.tensor(self.output)


Observer = Callable[[str, str, Tensor, Tensor], None]
"""A function that is told a layer's path, its type, its first input and its output."""


def builder_of(
    spec: Spec, signature: DataSignature, name: str, *, training: bool, resuming: Resuming | None = None
) -> GraphBuilder:
    """A builder for a graph called `name` of a settled spec."""
    words = signature.vocabulary
    return GraphBuilder(
        name,
        training=training,
        resuming=resuming,
        convention=spec.convention,
        vocabulary=None if words is None else len(words),
        label_axes=signature.label_axes,
    )


def built_net(spec: Spec, signature: DataSignature, *, training: bool, resuming: Resuming | None = None) -> BuiltNet:
    """The layers of a settled spec. Raises ShapeError, at the layer, where they do not fit."""
    builder = builder_of(spec, signature, "net", training=training, resuming=resuming)
    layers: list[BuiltLayer] = []

    def observe(path: str, kind: str, x: Tensor, y: Tensor) -> None:
        layers.append(BuiltLayer(path, kind, x.shape, y.shape))

    output = build_layers(builder, spec, signature, observe)
    return BuiltNet(builder, output.value, tuple(layers))


def build_layers(
    builder: GraphBuilder, spec: Spec, signature: DataSignature, observe: Observer = lambda *_: None
) -> Tensor:
    """The output of the last layer, (batch, …). Raises ShapeError, at the layer, where layers do not fit."""
    x = _embedded(builder, signature, _inputs(builder, signature))
    known = {"input": x}
    current = x
    for position, layer in enumerate(spec.layers):
        inputs = [current] if layer.inputs is None else [known[name] for name in layer.inputs]
        path = layer.name or builder.fresh_layer(layer.type)
        if signature.embedded and path == COLUMNS:
            raise ShapeError(
                f"a layer cannot be called {COLUMNS!r}: so are the vectors of embedded columns",
                "give it another name",
                path=f"layers.{position}",
            )
        try:
            with builder.scope(path):
                current = builder.build_here(layer, *inputs)
        except ShapeError as error:
            error.path = f"layers.{position}"
            raise
        known[path] = current
        observe(path, layer.type, inputs[0], current)
    return current


def _embedded(builder: GraphBuilder, signature: DataSignature, x: Tensor) -> Tensor:
    """Rows (batch, features) with the trained vector of each embedded column in the place of its index."""
    if not signature.embedded:
        return x
    parts: list[Tensor] = []
    done = 0
    features = signature.input_shape[0]
    for column in signature.embedded:
        if column.position > done:
            parts.append(builder.apply("slice", x, axis=1, start=done, stop=column.position))
        done = column.position + 1
        with builder.scope(COLUMNS), builder.scope(column.name):
            index = builder.apply("as_index", builder.apply("slice", x, axis=1, start=column.position, stop=done))
            vectors = builder.build_here(Embedding(units=column.width, vocabulary=len(column.rows)), index)
            parts.append(builder.apply("reshape", vectors, shape=(BATCH, column.width)))
    if done < features:
        parts.append(builder.apply("slice", x, axis=1, start=done, stop=features))
    with builder.on_behalf_of(COLUMNS):
        joined: Tensor = builder.apply("concatenate", *parts, axis=1) if len(parts) > 1 else parts[0]
    return joined


def _inputs(builder: GraphBuilder, signature: DataSignature) -> Tensor:
    """Rows of the data set, (batch, …), numbers as real numbers and rescaled."""
    data = builder.input(interface.INPUTS, (ROWS, *signature.input_shape), signature.input_dtype, "data")
    index = builder.input(interface.INDEX, (BATCH,), "index", "feed")
    with builder.on_behalf_of("data"):
        x = builder.apply("gather", data, index)
        if signature.input_dtype == "uint8":
            x = builder.apply("cast", x)
        if signature.statistics_shape is None:
            return x
        shift = builder.input(interface.SHIFT, signature.statistics_shape, role="statistic")
        scale = builder.input(interface.SCALE, signature.statistics_shape, role="statistic")
        rescaled: Tensor = builder.formula("rescale", lambda xp, x, shift, scale: (x - shift) * scale, x, shift, scale)
        return rescaled
