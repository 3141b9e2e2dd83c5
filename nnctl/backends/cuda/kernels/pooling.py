"""Pooling: the largest element or the sum of each window, their places, and what flows back from them."""

from __future__ import annotations

from dataclasses import replace

from nnctl.backends.cuda.calls import Call, blocks_for, elements, emits, pack_of
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.geometry import two
from nnctl.plan.plan import Launch, Plan, Slot


@emits("max_pool", "maximum_place", "sum_pool")
def _pool(launch: Launch) -> list[Call]:
    return [_call(launch, launch.inputs[0], launch.outputs[0])]


def pool_pairs(plan: Plan) -> dict[int, list[Call]]:
    """The calls of maxima and their places in one phase, by their numbers: one, the last one's."""
    maxima = {
        (launch.phase, i < plan.guarded, _windows(launch)): i
        for i, launch in enumerate(plan.launches)
        if launch.op.name == "max_pool"
    }
    found: dict[int, list[Call]] = {}
    for i, launch in enumerate(plan.launches):
        if launch.op.name != "maximum_place":
            continue
        other = maxima.pop((launch.phase, i < plan.guarded, _windows(launch)), None)
        if other is not None:
            (x,), (y,), (places,) = launch.inputs, plan.launches[other].outputs, launch.outputs
            alone = _call(launch, x, places)
            arguments = (x, y, places, *alone.arguments[2:])
            called = function("pooling.cu", "max_pool_and_place")
            call = replace(alone, function=called, arguments=arguments, shares=((other, 1), (i, 1)))
            found |= {other: [], i: []} | {max(i, other): [call]}
    return found


def _windows(launch: Launch) -> tuple[object, ...]:
    """The windows of a launch, and where their elements are."""
    (x,) = launch.inputs
    attributes = (repr(launch.attributes[name]) for name in ("size", "stride", "padding", "dilation"))
    return x.place, x.key, x.offset, x.shape, *attributes


@emits("take_from_windows")
def _take(launch: Launch) -> list[Call]:
    return [_call(launch, launch.inputs[0], launch.outputs[0], packed=False)]


@emits("spread_pool", "put_into_windows")
def _unpool(launch: Launch) -> list[Call]:
    return [_call(launch, launch.outputs[0], launch.inputs[0])]


def _call(launch: Launch, image: Slot, windows: Slot, *, packed: bool = True) -> Call:
    """The call of an op between an image and its windows' positions. packed: whether a thread may have 4 channels."""
    made = launch.outputs[0]
    channels = made.shape[-1]
    pack = pack_of(channels) if packed else 1
    given = [two(launch.attributes[name], 1) for name in ("size", "stride")]
    given += [tuple(before for before, _ in two(launch.attributes["padding"], (0, 0)))]
    given += [two(slot.shape[1:-1], 1) for slot in (image, windows)]
    count = elements(made) // pack
    apart = two(launch.attributes["dilation"], 1)
    numbers = (count, pack, *(n for pair in given for n in pair), channels // pack, *apart)
    slots = (*launch.inputs, made)
    return Call(function("pooling.cu", launch.op.name), blocks_for(count), (*slots, *numbers))
