"""The layers of a net on a fixed batch: sizes of weights, gradients and activations, saturated and dead units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np

from nnctl.components.base import Array, ElementwiseActivation, Namespace
from nnctl.components.metrics.norms import norm_of
from nnctl.graph import interface
from nnctl.graph.arrays import Parameter
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Node
from nnctl.graph.tensor import Tensor
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.namespaces import numpy_namespace

SATURATED: Final = 0.05
"""Share of an activation's largest slope below which a value counts as saturated."""

WEIGHT_NORM: Final = "weight_norm"
"""‖w‖ of one array of weights, ()."""
GRADIENT_NORM: Final = "gradient_norm"
"""‖∂objective/∂w‖ of one array of weights, ()."""
MEAN: Final = "activation_mean"
"""Mean over the batch of what each unit of a layer gives, (units,)."""
SQUARES: Final = "activation_squares"
"""Mean over the batch of (a − mean of the layer)², (units,)."""
NEAR_ENDS: Final = "near_ends"
"""Share of a unit's values whose slope is below `SATURATED` of the activation's largest, (units,)."""
MOVED: Final = "moved"
"""Share of a unit's values whose slope is not 0, (units,)."""


def watched_layers(nodes: Iterable[Node], parameters: Mapping[str, Parameter]) -> list[str]:
    """Paths of the layers that are watched, from input to output: those with weights and those with an activation."""
    weighty = {parameter.layer for parameter in parameters.values() if parameter.kind == "weight"}
    order = [node.layer for node in nodes if node.layer in weighty or _activation(node) is not None]
    return list(dict.fromkeys(path for path in order if path))


def of_activations(builder: GraphBuilder) -> dict[str, Tensor]:
    """Measures of what the layers give, by "<layer>/<measure>". builder: of a forward pass that is complete.

    A unit is an entry of the last axis: of a convolution a filter, whatever the position.
    """
    found: dict[str, Tensor] = {}
    nodes = list(builder.nodes)
    for path in watched_layers(nodes, builder.parameters):
        own = [node for node in nodes if node.layer == path]
        given = next((v for n in reversed(own) for v in n.outputs if v.batched and v.type.dtype == "real"), None)
        if given is None:
            continue
        with builder.on_behalf_of(path):
            measured = _spread(builder, builder.tensor(given))
            activation = next((node for node in reversed(own) if _activation(node) is not None), None)
            if activation is not None:
                measured |= _slopes(builder, activation)
        found |= {interface.statistic(path, name): tensor for name, tensor in measured.items()}
    return found


def of_weights(builder: GraphBuilder, gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Norms of the weights and of their gradients, by "<parameter>/<measure>"; what is frozen has no gradient."""
    found: dict[str, Tensor] = {}
    for name, parameter in builder.parameters.items():
        if parameter.kind != "weight":
            continue
        with builder.on_behalf_of(parameter.layer):
            found[interface.statistic(name, WEIGHT_NORM)] = norm_of(builder, builder.tensor(parameter.value))
            if name in gradients:
                found[interface.statistic(name, GRADIENT_NORM)] = norm_of(builder, gradients[name])
    return found


@lru_cache
def fate(activation: ElementwiseActivation) -> Literal["saturates", "dies"] | None:
    """The way in which a unit with this activation stops learning; None where its slope is never near 0 for good.

    Saturates: steepest at 0, and flat towards both ends, as sigmoid and tanh. Dies: has slope 0 on one side, as relu.
    """
    z = np.linspace(-8.0, 8.0, 1601)
    slope = _slope(numpy_namespace(), activation, z)
    largest = _largest(activation)
    if slope[len(z) // 2] >= 0.999 * largest and max(slope[0], slope[-1]) < SATURATED * largest:
        return "saturates"
    return "dies" if np.any((slope == 0.0) & (z != 0.0)) else None


def _largest(activation: ElementwiseActivation) -> float:
    """The largest slope that an activation has near 0."""
    return float(np.max(_slope(numpy_namespace(), activation, np.linspace(-5.0, 5.0, 1001))))


def _slope(xp: Namespace, activation: ElementwiseActivation, z: Any) -> Any:
    """|f'(z)|, of z's shape."""
    return np.broadcast_to(np.abs(activation.derivative(xp, z, activation.body(xp, z))), z.shape)


def _activation(node: Node) -> ElementwiseActivation | None:
    component = node.op.component if isinstance(node.op, ElementwiseOp) else None
    return component if isinstance(component, ElementwiseActivation) else None


def _by_unit(builder: GraphBuilder, x: Tensor) -> Tensor:
    """Means over all axes but the last, (units,)."""
    return builder.apply("mean", x, axes=tuple(range(len(x.shape) - 1)))


def _spread(builder: GraphBuilder, a: Tensor) -> dict[str, Tensor]:
    means = _by_unit(builder, a)
    centre = builder.apply("mean", means, axes=(0,))
    squares = builder.formula("squared_deviation", lambda xp, a, m: xp.square(a - m), a, centre)
    return {MEAN: means, SQUARES: _by_unit(builder, squares)}


def _slopes(builder: GraphBuilder, node: Node) -> dict[str, Tensor]:
    activation = _activation(node)
    assert activation is not None
    z, a = builder.tensor(node.inputs[0]), builder.tensor(node.outputs[0])
    threshold = SATURATED * _largest(activation)

    def near_end(xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.less(xp.abs(activation.derivative(xp, z, a)), threshold), 1.0, 0.0)

    def moved(xp: Namespace, z: Array, a: Array) -> Array:
        return xp.where(xp.greater(xp.abs(activation.derivative(xp, z, a)), 0.0), 1.0, 0.0)

    match fate(activation):
        case "saturates":
            return {NEAR_ENDS: _by_unit(builder, builder.formula("near_end", near_end, z, a))}
        case "dies":
            return {MOVED: _by_unit(builder, builder.formula("moved", moved, z, a))}
        case None:
            return {}
