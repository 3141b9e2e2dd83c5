"""What a backend may choose when a graph is lowered: the order of launches, and what is never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from nnctl.graph.ir import Graph, Node

Split: TypeAlias = Literal["whole", "rows", "blocks", "private"]
"""How the threads of a backend share a launch.

whole: one thread does it. rows: each thread its examples of the batch. blocks: each
thread its stretch of the first axis. private: each thread does all of it, for itself.
"""


@dataclass(frozen=True)
class Scheduled:
    """A node in its place. Threads wait for one another where the phase changes."""

    node: Node
    phase: int
    split: Split = "whole"


class Strategy(Protocol):
    """The choices of a backend."""

    def inlined(self, graph: Graph) -> set[Node]:
        """Nodes that are computed where they are read, element by element, and have no memory."""

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> list[Scheduled]:
        """The launches in order of execution, phases ascending.

        Two values share memory only if no phase needs both, and nothing before
        the guard may write a parameter.
        """


class Sequential:
    """One launch after the other, as the graph has them."""

    def inlined(self, graph: Graph) -> set[Node]:
        """See `Strategy`."""
        return set()

    def schedule(self, graph: Graph, nodes: Sequence[Node]) -> list[Scheduled]:
        """See `Strategy`."""
        return [Scheduled(node, phase) for phase, node in enumerate(nodes)]
