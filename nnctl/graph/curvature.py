"""Products with matrices of second derivatives, exact and without the matrix: differentiation of derivatives.

`hessian_products` differentiates the slope along a direction (Pearlmutter 1994).
The Gauss-Newton product needs derivatives forwards, J·v; it is the derivative of
uᵀ(Jᵀ·) in reverse mode twice, since Jᵀu is linear in u.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnctl.graph import interface
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.graph.tensor import Tensor


def directions(builder: GraphBuilder, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The feed `direction.<parameter>` of each parameter: the v that is multiplied."""
    return {name: builder.input(interface.direction(name), p.shape, role="feed") for name, p in parameters.items()}


def hessian_product(
    builder: GraphBuilder, objective: Tensor, parameters: Mapping[str, Tensor], v: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """∇²objective·v by parameter; where it is 0 by structure there is no entry."""
    wrt = list(parameters.values())
    gradients = differentiate(builder, objective, wrt)
    slope = _inner(builder, gradients, list(v.values()))
    if slope is None:
        return {}
    return _present(parameters, differentiate(builder, slope, wrt))


def gauss_newton_product(
    builder: GraphBuilder,
    output: Tensor,
    cost: Tensor,
    parameters: Mapping[str, Tensor],
    v: Mapping[str, Tensor],
) -> dict[str, Tensor]:
    """JᵀHJ·v by parameter: J of the net's output in the parameters, H of the cost in that output.

    The output is the weighted input z where its activation and the cost form one op.
    """
    wrt = list(parameters.values())
    output = _read_by_cost(builder, output, cost)
    u = builder.apply("stop_gradient", output)
    pulled = differentiate(builder, _inner_of(builder, output, u), wrt)
    slope = _inner(builder, pulled, list(v.values()))
    (pushed,) = differentiate(builder, slope, [u]) if slope is not None else (None,)
    (slope_of_cost,) = differentiate(builder, cost, [output])
    if pushed is None or slope_of_cost is None:
        return {}
    fixed = builder.apply("stop_gradient", pushed)
    (bent,) = differentiate(builder, _inner_of(builder, slope_of_cost, fixed), [output])
    if bent is None:
        return {}
    fixed = builder.apply("stop_gradient", bent)
    return _present(parameters, differentiate(builder, _inner_of(builder, output, fixed), wrt))


def _read_by_cost(builder: GraphBuilder, output: Tensor, cost: Tensor) -> Tensor:
    """The net's output, or what its activation reads where the two form one op with the cost."""
    needed = {cost.value}
    for node in reversed(builder.nodes):
        if any(o in needed for o in node.outputs):
            needed.update(node.inputs)
    if output.value in needed:
        return output
    activation = next(node for node in builder.nodes if output.value in node.outputs)
    return builder.tensor(activation.inputs[0])


def _inner_of(builder: GraphBuilder, a: Tensor, b: Tensor) -> Tensor:
    product = a * b
    return builder.apply("sum", product, axes=tuple(range(len(product.shape)))) if product.shape else product


def _inner(builder: GraphBuilder, left: Sequence[Tensor | None], right: Sequence[Tensor]) -> Tensor | None:
    """Σ left·right over all elements; None where every left is 0 by structure."""
    total: Tensor | None = None
    for a, b in zip(left, right, strict=True):
        if a is not None:
            part = _inner_of(builder, a, b)
            total = part if total is None else total + part
    return total


def _present(parameters: Mapping[str, Tensor], products: Sequence[Tensor | None]) -> dict[str, Tensor]:
    return {name: product for name, product in zip(parameters, products, strict=True) if product is not None}
