"""The passes: named functions Graph → Graph, run in order, the graph verified behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

from nnctl.components.base import ElementwiseCost
from nnctl.graph.accumulate import accumulate_products
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.fusion import fuse_elementwise
from nnctl.graph.ir import Form, Graph, Node, Value
from nnctl.graph.pooling import pool_first
from nnctl.graph.selection import look_rows_up
from nnctl.graph.simplify import fold_constants, read_scalars
from nnctl.graph.verify import verify
from nnctl.ops import OPS
from nnctl.ops.elementwise import ElementwiseOp

Pass: TypeAlias = Callable[[Graph], Graph]


def run_passes(graph: Graph, passes: Iterable[Pass]) -> Graph:
    """The graph after all passes, verified. Raises GraphError naming the pass that broke it."""
    steps = tuple(passes)
    try:
        done = graph
        for step in steps:
            done = step(done)
        verify(done, after="its passes")
    except Exception:
        _find_defect(graph, steps)
        raise
    return done


def _find_defect(graph: Graph, passes: Sequence[Pass]) -> None:
    """Raise the GraphError of the first pass whose graph is broken, or of the graph as it was built."""
    verify(graph)
    for step in passes:
        graph = step(graph)
        verify(graph, after=step.__name__)


def pair_output_with_cost(graph: Graph) -> Graph:
    """Softmax with log-likelihood and sigmoid with cross-entropy become one op on the weighted input z.

    The pair's derivative is a − y, and neither overflows nor meets ln 0
    where the output saturates. The activation stays for whoever else reads it.
    """
    producers = graph.producers
    builder = GraphBuilder(graph.name)
    replaced: dict[Value, Value] = {}
    for node in graph.nodes:
        activation = producers.get(node.inputs[0]) if node.inputs else None
        pair = _pair(node, activation) if activation is not None else None
        if pair is None or activation is None:
            builder.nodes.append(node.with_inputs(replaced))
            continue
        with builder.on_behalf_of(node.layer):
            operands = [builder.tensor(v) for v in (activation.inputs[0], *node.inputs[1:])]
            (output,) = builder.emit(pair, operands, node.attributes, node.outputs[0].name)
        replaced[node.outputs[0]] = output.value
    return graph.rebuilt(builder.nodes, replaced)


def _pair(cost: Node, activation: Node) -> Any:
    if cost.op.name == "log_likelihood" and activation.op.name == "softmax":
        return OPS["softmax_log_likelihood"]
    component = cost.op.component if isinstance(cost.op, ElementwiseOp) else None
    if not isinstance(component, ElementwiseCost) or component.paired_activation != activation.op.name:
        return None
    return ElementwiseOp(
        f"{activation.op.name}_{cost.op.name}",
        2,
        component.paired_body,
        (lambda xp, g, c, z, y: g * component.paired_derivative(xp, z, y),),
    )


def drop_dead(graph: Graph) -> Graph:
    """Remove nodes that no result needs."""
    needed = set(graph.results)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.outputs):
            needed.update(node.inputs)
            kept.append(node)
    return graph.rebuilt(reversed(kept))


def merge_equal(graph: Graph) -> Graph:
    """Compute equal nodes once: the softmax of the forward pass serves the backward pass too."""
    replaced: dict[Value, Value] = {}
    known: dict[Any, Node] = {}
    kept: list[Node] = []
    forms: dict[Form, int] = {}
    """Numbers of forms; those that compute the same have one."""
    numbers: dict[Any, int] = {}
    for original in graph.nodes:
        node = original.with_inputs(replaced)
        form = node.form
        number = forms.get(form)
        if number is None:
            attributes = tuple(sorted(node.attributes.items(), key=_name))
            number = forms[form] = numbers.setdefault((node.op.identity, attributes), len(numbers))
        earlier = known.setdefault((number, node.inputs), node)
        if earlier is node:
            kept.append(node)
        else:
            replaced.update(zip(node.outputs, earlier.outputs, strict=True))
    return graph.rebuilt(kept, replaced)


def _name(attribute: tuple[str, Any]) -> str:
    return attribute[0]


FORWARD_PASSES: tuple[Pass, ...] = (pair_output_with_cost, pool_first)
"""Before differentiation."""

TEXTBOOK_PASSES: tuple[Pass, ...] = (merge_equal, read_scalars, fold_constants, drop_dead)
"""On the whole step, as people read it."""

FINAL_PASSES: tuple[Pass, ...] = (
    look_rows_up,
    *TEXTBOOK_PASSES,
    fuse_elementwise,
    accumulate_products,
    # Equal layers have equal scales, and what these read may then fuse with them.
    merge_equal,
    fuse_elementwise,
)
"""On the whole step, as it runs."""
