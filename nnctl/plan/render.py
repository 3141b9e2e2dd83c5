"""Plans as text."""

from __future__ import annotations

from collections.abc import Collection

from nnctl.plan.plan import Plan, Slot


def render(plan: Plan, missing: Collection[str] = ()) -> str:
    """The plan for people: one line a launch with its memory, FLOPs and bytes.

    missing: ops that run as their reference bodies; their launches are marked.
    """
    sizes = ", ".join(f"{k} {v:,}" for k, v in plan.sizes.items())
    lines = [
        f"plan {plan.name}: {sizes}, {plan.precision}, {len(plan.launches)} launches, "
        f"{plan.flops:,} FLOP, arena {plan.arena_bytes:,} bytes"
    ]
    for index, launch in enumerate(plan.launches):
        if index == plan.guarded and plan.guard is not None:
            lines.append(f"  -- what follows runs only while {plan.guard.name} is finite --")
        outputs = ", ".join(_slot(s) for s in launch.outputs)
        inputs = ", ".join(_slot(s) for s in launch.inputs)
        lines.append(
            f"  {index:3} {launch.op.name:<28} {outputs} ⇐ {inputs}  [{launch.flops:,} FLOP, {launch.bytes:,} B]"
            + ("  by its reference body" if launch.op.name in missing else "")
        )
    lines += [f"  copy {_slot(new)} → {_slot(old)}" for new, old in plan.copies]
    lines += [f"  {name} = {_slot(slot)}" for name, slot in plan.outputs.items()]
    return "\n".join(lines)


def _slot(slot: Slot) -> str:
    shape = "×".join(map(str, slot.shape)) or "1"
    match slot.place:
        case "arena":
            return f"{slot.name}[{shape}]@{slot.offset}"
        case "storage" if slot.name != slot.key:
            return f"{slot.name}[{shape}]@{slot.key}"
        case _:
            return f"{slot.name}[{shape}]"
