"""The update: from gradients to new parameters and new optimizer state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nnctl.graph import interface
from nnctl.graph.arrays import Parameter
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.ir import Value
from nnctl.graph.penalties import regularizer_of
from nnctl.graph.tensor import Tensor
from nnctl.spec.document import Spec


def updates_of(builder: GraphBuilder, spec: Spec, gradients: Mapping[str, Tensor]) -> dict[Value, Tensor]:
    """New value of each parameter that has a gradient, and of the optimizer's state of it.

    gradients: by parameter name, in the order in which they are bounded together.
    """
    bounded = list(gradients.values())
    clipping = spec.optimizer.clipping
    if clipping is not None:
        with builder.on_behalf_of("clip"):
            bounded = clipping.build(builder, bounded)
    updates: dict[Value, Tensor] = {}
    with builder.on_behalf_of("optimizer"):
        t = builder.apply("cast", builder.input(interface.STEP, (), "index", "feed")) + 1.0
        t.value.name = "optimizer.t"
    for name, gradient in zip(gradients, bounded, strict=True):
        parameter = builder.parameters[name]
        with builder.on_behalf_of(parameter.layer):
            updates.update(_update(builder, spec, parameter, gradient, t))
    return updates


def _update(
    builder: GraphBuilder, spec: Spec, parameter: Parameter, gradient: Tensor, t: Tensor
) -> Mapping[Value, Tensor]:
    """See `updates_of`. t: the number of this step, from 1."""
    optimizer = spec.optimizer.for_bias() if parameter.kind == "bias" else spec.optimizer
    scheduled = [builder.input(name, (), role="feed") for name in optimizer.scheduled]
    state = [
        builder.input(interface.optimizer_state(name, parameter.name), parameter.shape, role="optimizer state")
        for name, _ in optimizer.state()
    ]
    rates = len(scheduled)

    def update(xp: Any, w: Any, g: Any, t: Any, *rest: Any) -> Any:
        return optimizer.update(xp, w, g, t, dict(zip(optimizer.scheduled, rest[:rates])), *rest[rates:])

    w = builder.tensor(parameter.value)
    result = builder.formula(optimizer.type, update, w, gradient, t, *scheduled, *state)
    new = list(result) if isinstance(result, tuple) else [result]
    regularizer = regularizer_of(spec, parameter)
    if regularizer is not None and regularizer.projects:
        shape, incoming = parameter.units
        view = regularizer.project(builder, builder.apply("reshape", new[0], shape=shape), incoming)
        new[0] = builder.apply("reshape", view, shape=parameter.shape)
    changed = [parameter.value, *(s.value for s in state)]
    for old, tensor in zip(changed, new, strict=True):
        tensor.value.name = f"{old.name}⁺"
    return dict(zip(changed, new, strict=True))
