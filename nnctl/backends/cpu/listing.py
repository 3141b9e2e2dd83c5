"""A generated function for people: its source, and what its numbers are."""

from __future__ import annotations

from collections.abc import Mapping

from nnctl.backends.cpu.codegen.source import generate, unsupported
from nnctl.backends.cpu.schedule import lowered
from nnctl.errors import UsageError
from nnctl.graph.ir import Graph


def listing(graph: Graph, sizes: Mapping[str, int]) -> str:
    """The source of a graph's function, and as comments the values of its arguments `offsets` and `numbers`.

    Raises UsageError for a graph with an op that has no generated code.
    """
    missing = unsupported(graph)
    if missing:
        raise UsageError(f"the cpu backend has no compiled code for {', '.join(missing)}")
    plan = lowered(graph, sizes)
    source = generate(plan)
    given = ", ".join(f"{name} {size:,}" for name, size in plan.sizes.items())
    lines = [source.text.rstrip(), "", "", f"# For {given}, with {plan.arena_bytes:,} bytes of arena:"]
    lines += [f"#   offsets[{i}] = {offset:,}" for i, offset in enumerate(source.offsets)]
    lines += [f"#   numbers[{i}] = {number!r}" for i, number in enumerate(source.numbers)]
    return "\n".join(lines)
