"""The generated code of a plan for people: its functions, and the calls of a step."""

from __future__ import annotations

from nnctl.backends.codegen.names import label
from nnctl.backends.cpu.codegen.entries import Barrier
from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.codegen.parameters import (
    ArrayParameter,
    BoundParameter,
    FloatParameter,
    NumbersParameter,
    Parameter,
    WholeParameter,
)
from nnctl.backends.cpu.codegen.source import generate
from nnctl.plan.plan import Plan


def listing(plan: Plan) -> str:
    """The functions of a plan, each with its parameters' types, then what a step calls with which arguments."""
    source = generate(plan)
    names: dict[Kind, str] = {}
    lines: list[str] = []
    for number, kind in enumerate(source.kinds, 1):
        names[kind] = f"launch_{number}"
        lines += [
            f"# {', '.join(f'p{i}: {t}' for i, t in enumerate(kind.described.split(', ')))}",
            kind.text.replace("def launch(", f"def {names[kind]}(", 1),
            "",
            "",
        ]
    given = ", ".join(f"{name} {size:,}" for name, size in plan.sizes.items())
    lines += [f"# A step, for {given}, with {plan.arena_bytes:,} bytes of arena:"]
    begins = {run.first: "# A few examples at a time:" for run in source.runs}
    ends = {run.last: "# All at once:" for run in source.runs}
    for place, entry in enumerate(source.entries):
        lines += [words[place] for words in (ends, begins) if place in words]
        if isinstance(entry, Barrier):
            lines.append("barrier()")
            continue
        words = f"  # {label(plan.launches[entry.launch])}" if entry.launch is not None else ""
        alone = "thread 0: " if entry.alone else ""
        lines.append(f"{alone}{names[entry.kind]}({', '.join(map(_text, entry.passed))}){words}")
    return "\n".join(lines)


def _text(parameter: Parameter) -> str:
    match parameter:
        case WholeParameter():
            return str(parameter.value)
        case FloatParameter():
            return repr(parameter.value)
        case NumbersParameter():
            return repr(list(parameter.values))
        case BoundParameter():
            return "last" if parameter.last else "first"
        case ArrayParameter():
            slot = parameter.slot
            name = slot.key if slot.place == "storage" else slot.name
            at = f" at {slot.offset:,}" if slot.place == "arena" and not parameter.private else ""
            part = "" if parameter.cut is None else ", its part"
            return f"<{name}{at}{part}>"
        case _:
            return "scratch"
