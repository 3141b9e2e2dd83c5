"""Max pooling before what keeps order: the largest of relu(x + b) is relu(the largest x + b).

A bias and an activation are then computed for one number of each window, on the way back too. The
result has the same bits, for rounding keeps order as well. Of numbers that only rounding made equal
the largest gets the gradient instead of the first.
"""

from __future__ import annotations

from nnctl.graph.ir import Graph, Node, Value
from nnctl.ops import OPS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression


def pool_first(graph: Graph) -> Graph:
    """The graph with max pooling moved before the formulas of never falling slope that it alone reads."""
    pools = [node for node in graph.nodes if node.op.name == "max_pool"]
    if not pools:
        return graph
    producers, readers = graph.producers, graph.readers
    results = set(graph.results)
    moved: dict[Node, list[Node]] = {}
    gone: set[Node] = set()
    for pool in pools:
        behind: list[Node] = []
        value = pool.inputs[0]
        while value in producers and value not in results and len(readers[value]) == 1:
            formula = producers[value]
            if (place := _ordered_by(formula)) is None:
                break
            behind.append(formula)
            value = formula.inputs[place]
        if behind:
            moved[pool] = _pooled_first(pool, value, behind)
            gone.update(behind)
    return graph.rebuilt(n for node in graph.nodes if node not in gone for n in moved.get(node, (node,)))


def _pooled_first(pool: Node, value: Value, behind: list[Node]) -> list[Node]:
    """Pooling of `value`, then the formulas, the last of them first in `behind`."""
    made = pool.outputs[0]
    nodes = [Node(OPS["max_pool"], (value,), (Value(f"{value.name}.pooled", made.type),), pool.attributes, pool.layer)]
    for number, formula in enumerate(reversed(behind), 1):
        before = nodes[-1].outputs[0]
        inputs = tuple(before if v.shape == value.shape else v for v in formula.inputs)
        last = number == len(behind)
        output = made if last else Value(f"{formula.outputs[0].name}.pooled", made.type)
        nodes.append(Node(formula.op, inputs, (output,), formula.attributes, formula.layer))
    return nodes


def _ordered_by(node: Node) -> int | None:
    """The place of the input whose order a formula keeps, the others being the same at all positions."""
    if not isinstance(node.op, ElementwiseOp) or len(node.outputs) != 1:
        return None
    shape = node.outputs[0].shape
    whole = [i for i, value in enumerate(node.inputs) if value.shape == shape]
    rest = (value for i, value in enumerate(node.inputs) if i not in whole)
    if len(whole) != 1 or any(n != 1 for value in rest for n in value.shape[:-1]):
        return None
    return whole[0] if _never_falls(node.op.expression, whole[0]) else None


def _never_falls(expression: Expression, argument: int) -> bool:
    """True where sums, maxima and minima alone lead from an input to the result."""
    moving = {argument}
    for number, line in enumerate(expression.lines):
        found = tuple(isinstance(a, int) and a in moving for a in line.arguments)
        if not any(found):
            continue
        less = line.primitive == "subtract" and found == (True, False)
        if not less and line.primitive not in ("add", "maximum", "minimum"):
            return False
        moving.add(expression.arity + number)
    return expression.results[0] in moving and isinstance(expression.results[0], int)
