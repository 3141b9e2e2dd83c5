"""The order of a graph's launches, and the lives of its values: all of a plan that does not hang on sizes."""

from __future__ import annotations

from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import VIEWS, view_sources
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.strategy import Strategy


def order_of(graph: Graph, strategy: Strategy) -> Order:
    """The order of a graph by a strategy, found once for both: a last batch is smaller than those before it."""
    return graph.once(("order", strategy), lambda: Order(graph, strategy))


class Order:
    """The launches of a graph in their order, and who needs what until when, whatever the sizes."""

    def __init__(self, graph: Graph, strategy: Strategy) -> None:
        self.graph = graph
        self.source = view_sources(graph)
        launched = [n for n in graph.nodes if n.op.name not in VIEWS]
        constant = set(constant_nodes(graph))
        self.setup = [n for n in launched if n in constant]
        inlined = strategy.inlined(graph) - constant
        self.inlined = {n.outputs[0]: n for n in launched if n in inlined}
        self.scheduled = strategy.schedule(graph, [n for n in launched if n not in constant and n not in inlined])
        self.nodes = [s.node for s in self.scheduled]
        # Names are for people and may repeat; a number tells constants apart.
        self.constants = {v: str(i) for i, v in enumerate(v for n in self.setup for v in n.outputs)}
        self.inline_keys = {v: str(i) for i, v in enumerate(self.inlined)}
        self.position = {v: i for i, n in enumerate(self.nodes) for v in n.outputs}
        self.rank = {v: i for i, v in enumerate(self.position)}
        """Numbers of values in the order in which they are made."""
        self.guarded = self._guarded()
        self.reads = [self._reads(node) for node in self.nodes]
        self.read = {v: i for i, values in enumerate(self.reads) for v in values}
        """Index of the last launch that reads each value, or a view of it."""
        self.last_read = self._last_reads()
        self.in_place = self._in_place()

    def root(self, value: Value) -> Value:
        return self.source.get(value, value)

    def _reads(self, node: Node) -> set[Value]:
        """The stored values that a launch reads, through views and inlined nodes."""
        inputs = node.inputs
        if self.source.keys().isdisjoint(inputs) and self.inlined.keys().isdisjoint(inputs):
            return set(inputs)
        found: set[Value] = set()
        for value in map(self.root, inputs):
            found |= self._reads(self.inlined[value]) if value in self.inlined else {value}
        return found

    def _guarded(self) -> int:
        """Index of the first launch after the guard is known."""
        if self.graph.guard is None:
            return len(self.nodes)
        return self.position.get(self.root(self.graph.guard), -1) + 1

    def _last_reads(self) -> dict[Value, int]:
        """Index of the last launch that needs each value; results live to the end."""
        end = len(self.nodes)
        updated = {self.root(new) for new in self.graph.updates.values()}
        outputs = {self.root(v) for v in self.graph.outputs.values()}
        guard = {self.root(self.graph.guard)} if self.graph.guard is not None else set()
        return self.read | dict.fromkeys(updated | outputs | guard, end)

    def _in_place(self) -> dict[Value, Value]:
        """New value → the parameter or state whose memory it may take over."""
        elsewhere = {self.root(v) for v in self.graph.outputs.values()}
        # What is computed before the guard is known must not yet touch storage.
        first = 0 if self.graph.guard is None else self.guarded
        found: dict[Value, Value] = {}
        for old, new in self.graph.updates.items():
            written = self.position.get(new)
            if written is None or written < first or new in found or new in elsewhere or old in elsewhere:
                continue
            # Most ops need their input whole to the end; some may write over it.
            last = written if self._may_overwrite(self.nodes[written], old) else written - 1
            if self.read.get(old, -1) <= last:
                found[new] = old
        return found

    def _may_overwrite(self, node: Node, old: Value) -> bool:
        """True where a node may write its output over `old` while it computes."""
        if isinstance(node.op, ElementwiseOp):
            return True
        elsewhere = {self.root(value) for value in node.inputs[1:]}
        return node.op.overwrites and self.root(node.inputs[0]) is old and old not in elsewhere


def constant_nodes(graph: Graph) -> list[Node]:
    """Nodes that compute the same in every step: those that read only statistics and one another."""
    constant: set[Value] = set()
    found = []
    for node in graph.nodes:
        for value in node.inputs:
            if value not in constant and value.role != "statistic":
                break
        else:
            constant.update(node.outputs)
            found.append(node)
    return found
