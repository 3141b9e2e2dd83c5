"""Memory that training takes, from the shapes alone: what does not fit is refused before anything is allocated."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TypeAlias

from nnctl.errors import ShapeError, UsageError
from nnctl.graph import interface
from nnctl.graph.ir import Form, Node
from nnctl.graph.network import Network
from nnctl.ops.shapes import TensorType, resolve, show
from nnctl.plan.dtypes import element
from nnctl.plan.plan import Plan
from nnctl.process import memory
from nnctl.process.memory import in_bytes

_BEGINNING = element("real", "float64").bytes + element("real").bytes
"""Bytes of a number besides those that it keeps: while the first values are drawn, and until they are placed."""
_LOOKED_AT = 1 << 20
"""Bytes below which nobody asks whether they are there."""
_NAMED = 3
"""Parts of a step's scratch memory that are named where they do not fit."""

Left: TypeAlias = Callable[[], int]
ArenaOf: TypeAlias = Callable[[int], int]


def require_for_training(network: Network, batch: int, examples: int, left: Left | None = None) -> None:
    """Raise ShapeError, at the layer, where the net's arrays or one launch of a training step exceed the memory left.

    batch: examples of a step. examples: of the training set. left: bytes where steps run, those of the host if None,
    where the first values of the net's arrays are drawn.
    """
    sizes = interface.sizes(batch, examples)
    total, large = _needs(network, batch, examples)
    if total > _LOOKED_AT and total > (host_left := memory.available()):
        kept = _counts(network, sizes)
        of_layer = Counter[str]()
        for _, layer, count in kept:
            of_layer[layer.partition(".")[0]] += count
        largest, count = of_layer.most_common(1)[0]
        name, layer, _ = max((each for each in kept if each[1].partition(".")[0] == largest), key=lambda each: each[2])
        words = f"it has {count:,} numbers, most in {name}; all that training keeps takes {in_bytes(total)}"
        raise _too_large(network, layer, words, host_left)
    if not large:
        return
    # Asked for once: many files tell it.
    bytes_left = (left or memory.available)()
    for node, size in large:
        if size > bytes_left:
            output = max(node.outputs, key=lambda value: _bytes(value.type, sizes))
            raise _too_large(
                network,
                node.layer,
                f"{output.name} {show(resolve(output.shape, sizes))} and what it is made of take {in_bytes(size)}",
                bytes_left,
            )


@lru_cache(4)
def _needs(network: Network, batch: int, examples: int) -> tuple[int, list[tuple[Node, int]]]:
    """Bytes of all that training keeps, and the launches that take more than is looked at, with theirs.

    Runs that share a net ask again and again.
    """
    sizes = interface.sizes(batch, examples)
    total = (element("real").bytes + _BEGINNING) * sum(count for *_, count in _counts(network, sizes))
    of_form: dict[Form, int] = {}
    large = []
    for node in network.training_step.nodes:
        form = node.form
        size = of_form.get(form)
        if size is None:
            size = of_form[form] = sum(_bytes(of_value, sizes) for of_value in (*form.inputs, *form.outputs))
        if size > _LOOKED_AT:
            # A data set lies where it is.
            size -= sum(_bytes(value.type, sizes) for value in node.inputs if value.role == "data")
            if size > _LOOKED_AT:
                large.append((node, size))
    return total, large


def require_for_plan(plan: Plan, left: Left | None = None, arena_of: ArenaOf | None = None) -> None:
    """Raise UsageError where the scratch memory of a step exceeds the memory left.

    left: bytes where it runs; those of the host if None. arena_of: see `contents`.
    """
    if plan.arena_bytes <= _LOOKED_AT or plan.arena_bytes <= (bytes_left := (left or memory.available)()):
        return
    raise UsageError(
        f"a step of {plan.batch:,} examples takes {in_bytes(plan.arena_bytes)} of scratch memory, and "
        f"{in_bytes(bytes_left)} are left\n  {contents(plan, bytes_left, arena_of)}"
    )


def contents(plan: Plan, left: int, arena_of: ArenaOf | None = None) -> str:
    """In words, what takes most of a step's scratch memory, and the batch that would fit.

    arena_of: the bytes of scratch memory that a step of so many examples takes; None where only fewer can be advised.
    """
    slots = {slot.name: slot for slot in plan.slots if slot.place == "arena"}
    sizes = {name: math.prod(slot.shape) * element(slot.dtype, plan.precision).bytes for name, slot in slots.items()}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:_NAMED]
    parts = "; ".join(f"{name} {show(slots[name].shape)}, {in_bytes(sizes[name])}" for name in largest)
    what = f"the largest part is {parts}" if len(largest) == 1 else f"the largest parts are {parts}"
    fits = "a smaller batch takes less"
    if arena_of is not None:
        batch = _fitting(plan.batch, left, arena_of)
        fits = f"a batch of {batch:,} fits" if batch else "no batch fits: make layers smaller"
    return f"{what}\n  {fits}"


def _fitting(batch: int, left: int, arena_of: ArenaOf) -> int:
    """A batch below one that does not fit, within a sixteenth of the largest that does; 0 where none does."""
    fits = 0
    while batch - fits > max(1, batch // 16):
        middle = (fits + batch) // 2
        if arena_of(middle) <= left:
            fits = middle
        else:
            batch = middle
    return fits


def _counts(network: Network, sizes: Mapping[str, int]) -> list[tuple[str, str, int]]:
    """(name, layer, number of elements) of every array that outlives a step."""
    return [(name, layer, math.prod(resolve(shape, sizes))) for name, layer, shape in _kept(network)]


def _kept(network: Network) -> Iterator[tuple[str, str, tuple[object, ...]]]:
    """(name, layer, shape) of every array that outlives a step."""
    structure = network.structure
    for name, parameter in structure.parameters.items():
        yield name, parameter.layer, parameter.shape
    for name, (parameter, _) in structure.optimizer_state.items():
        yield name, parameter.layer, parameter.shape
    for name, state in structure.states.items():
        yield name, state.layer, state.value.shape


def _bytes(of_value: TensorType, sizes: Mapping[str, int]) -> int:
    shape: tuple[int, ...] = resolve(of_value.shape, sizes)
    return math.prod(shape) * element(of_value.dtype).bytes


def _too_large(network: Network, layer: str, what: str, left: int) -> ShapeError:
    root = layer.partition(".")[0]
    position = next((i for i, built in enumerate(network.structure.layers) if built.path == root), None)
    return ShapeError(
        f"{what}, and {in_bytes(left)} are left",
        "make the layer smaller, or the batch",
        layer=layer,
        path="layers" if position is None else f"layers.{position}",
    )
