"""A generated function for people: its source, and the meaning of its numbers."""

from __future__ import annotations

from nnctl.backends.cpu.codegen.source import generate
from nnctl.plan.plan import Plan


def listing(plan: Plan) -> str:
    """The source of a plan's function, and as comments the values of its arguments `offsets` and `numbers`."""
    source = generate(plan)
    given = ", ".join(f"{name} {size:,}" for name, size in plan.sizes.items())
    lines = [source.text.rstrip(), "", "", f"# For {given}, with {plan.arena_bytes:,} bytes of arena:"]
    lines += [f"#   offsets[{i}] = {offset:,}" for i, offset in enumerate(source.offsets)]
    lines += [f"#   numbers[{i}] = {number!r}" for i, number in enumerate(source.numbers)]
    return "\n".join(lines)
