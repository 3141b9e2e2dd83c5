"""Pooling: the largest element or the sum of each window, their places, and what flows back from them."""

from __future__ import annotations

from nnctl.backends.cuda.calls import Call, blocks_for, elements, emits, pack_of
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.geometry import two
from nnctl.plan.plan import Launch, Slot


@emits("max_pool", "maximum_place", "sum_pool")
def _pool(launch: Launch) -> list[Call]:
    return [_call(launch, launch.inputs[0], launch.outputs[0])]


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
