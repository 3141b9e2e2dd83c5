"""The penalty: what the objective has beside the cost."""

from __future__ import annotations

from nnctl.components.base import Regularizer
from nnctl.graph import interface
from nnctl.graph.arrays import Parameter
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.tensor import Tensor
from nnctl.spec.document import Spec


def regularizer_of(spec: Spec, parameter: Parameter) -> Regularizer | None:
    """The parameter's own regularizer, or the spec's where it is a weight; None where there is none."""
    if parameter.regularizer is not None or parameter.kind == "bias":
        return parameter.regularizer
    return spec.regularizer


def penalty_of(spec: Spec, builder: GraphBuilder) -> Tensor | None:
    """1/n · Σ over the regularized parameters of the net that was built, (); None where there is none."""
    total: Tensor | None = None
    for parameter in builder.parameters.values():
        regularizer = regularizer_of(spec, parameter)
        if regularizer is None or not regularizer.penalizes:
            continue
        with builder.on_behalf_of(parameter.layer):
            terms = builder.elementwise(regularizer, builder.tensor(parameter.value))
            part = builder.apply("sum", terms, axes=tuple(range(len(terms.shape))))
            part = part / builder.input(interface.EXAMPLES, (), role="statistic")
        total = part if total is None else total + part
    return total
