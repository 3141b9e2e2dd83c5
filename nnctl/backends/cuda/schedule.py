"""The schedule of a step on a device: launches in phases, those of one phase in any order or at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from nnctl.backends.codegen.inlining import inlined_nodes
from nnctl.backends.cuda.ended_products import masked_by_results, with_ends
from nnctl.backends.cuda.kernels.reductions import REDUCTIONS
from nnctl.backends.cuda.recomputation import recomputed
from nnctl.graph.ir import Graph, Node, Value
from nnctl.graph.views import view_sources
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.dtypes import Precision
from nnctl.plan.lower import lower
from nnctl.plan.plan import Plan
from nnctl.plan.strategy import Scheduled

_SMALL = 1 << 18
"""Elements that the threads of a large device make at once."""


def lowered(graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
    """The plan of a graph, in phases."""
    return lower(with_ends(recomputed(masked_by_results(graph))), sizes, precision, CudaStrategy())


class CudaStrategy:
    """Every launch as early as what it reads allows, but small updates last.

    What changes storage comes after the guard, and after everything that reads the old value. Small updates of a
    phase become one launch. A large one fills the device alone, and finds its gradient where it has just been made.
    """

    def inlined(self, graph: Graph) -> set[Node]:
        """See `Strategy`."""
        return inlined_nodes(graph) | _summed(graph)

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> list[Scheduled]:
        """See `Strategy`. Of the launches of a phase none reads what another writes."""
        sources = view_sources(graph)
        inlined = self.inlined(graph)
        producers = {value: node for node in graph.nodes for value in node.outputs}
        reads = {node: _reads(node, sources, producers, inlined) for node in nodes}
        replaced = {sources.get(new, new): old for old, new in graph.updates.items()}
        guard = None if graph.guard is None else producers.get(sources.get(graph.guard, graph.guard))
        numbers = {node: number for number, node in enumerate(nodes)}
        phases: dict[Node, int] = {}
        waited_for: set[Node] = set()
        updates: list[Node] = []
        readers: dict[Value, list[Node]] = {}
        for node in nodes:
            before = [producers[value] for value in reads[node] if value in producers]
            olds = [replaced[value] for value in node.outputs if value in replaced]
            if olds:
                # Numbers ascend along the graph, so that none of these can wait for this node.
                before += [reader for old in olds for reader in readers.get(old, ())]
                if guard in numbers and numbers[guard] < numbers[node]:
                    before.append(guard)
                updates.append(node)
            waited_for.update(before)
            phases[node] = max((phases[other] + 1 for other in before if other in phases), default=0)
            for value in reads[node]:
                readers.setdefault(value, []).append(node)
        last = max(phases.values(), default=0)
        for node in updates:
            if node not in waited_for and _small(node):
                phases[node] = last
        return [Scheduled(node, phases[node]) for node in sorted(nodes, key=lambda n: (phases[n], numbers[n]))]


def _small(node: Node) -> bool:
    """True for an elementwise op of so few elements that a launch of its own is not worth it."""
    shape = node.outputs[0].shape
    sizes = [n for n in shape if isinstance(n, int)]
    return isinstance(node.op, ElementwiseOp) and len(sizes) == len(shape) and math.prod(sizes) <= _SMALL


def _summed(graph: Graph) -> set[Node]:
    """Formulas that one reduction reads and nobody else: it makes their elements itself."""
    results = set(graph.results)
    found = set()
    for value, readers in graph.readers.items():
        if len(readers) == 1 and readers[0].op.name in REDUCTIONS and value not in results:
            found.add(value)
    return {n for n in graph.nodes if isinstance(n.op, ElementwiseOp) and found.issuperset(n.outputs)}


def _reads(
    node: Node, sources: Mapping[Value, Value], producers: Mapping[Value, Node], inlined: set[Node]
) -> set[Value]:
    """The stored values that a launch reads, through views and inlined nodes."""
    found: set[Value] = set()
    for value in (sources.get(v, v) for v in node.inputs):
        producer = producers.get(value)
        inside = producer is not None and producer in inlined
        found |= _reads(producer, sources, producers, inlined) if inside and producer is not None else {value}
    return found
