"""The choices of a backend when a graph is lowered: the order of launches, and what is never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nnctl.graph.ir import Graph, Node, Value
from nnctl.late import dataclass
from nnctl.plan.plan import Launch, Slot


@dataclass(frozen=True)
class Scheduled:
    """A node in its place. There is a barrier where the phase changes.

    apart: batched values that this launch reads or makes, but each thread those examples alone that are the thread's
    in the whole phase.
    """

    node: Node
    phase: int
    apart: frozenset[Value] = frozenset()

    def launch(
        self, inputs: tuple[Slot, ...], outputs: tuple[Slot, ...], attributes: Mapping[str, Any], flops: int, moved: int
    ) -> Launch:
        """The launch of the node, as the backend's plans have it. moved: bytes."""
        node = self.node
        return Launch(node.op, inputs, outputs, attributes, node.layer, flops, moved, self.phase, node.form)


class Strategy(Protocol):
    """The choices of a backend."""

    def inlined(self, graph: Graph) -> set[Node]:
        """Nodes that are computed where they are read, element by element, and have no memory."""

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> Sequence[Scheduled]:
        """The launches in order of execution, phases ascending.

        Two values share memory only if no phase needs both, or threads treat both apart there and no launch needs both.
        Nothing before the guard may write a parameter.
        """


class Sequential:
    """One launch after the other, as the graph has them."""

    def inlined(self, graph: Graph) -> set[Node]:
        """See `Strategy`."""
        return set()

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> list[Scheduled]:
        """See `Strategy`."""
        return [Scheduled(node, phase) for phase, node in enumerate(nodes)]
