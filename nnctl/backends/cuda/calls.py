"""Calls: a launch of the plan as grids of device functions, and what they are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from nnctl.backends.cuda.codegen.functions import DeviceFunction
from nnctl.late import dataclass
from nnctl.ops.shapes import DType
from nnctl.plan.plan import Launch, Slot

ProductPrecision: TypeAlias = Literal["float32", "tf32", "bf16"]
"""The precision to which matrix products and convolutions round what they multiply; their sums are float32."""

THREADS = 256
"""Threads of every block."""
WARP = 32
"""Threads that run in step."""
ACROSS_BLOCK = 4 * THREADS // WARP
"""Bytes of shared memory that `block_sum` and `block_max` take."""

MULTIPROCESSORS = 132
"""Of the device that work is divided for, an H100. One with fewer has its blocks one after the other, which is no
more than a little slower."""


@dataclass(frozen=True)
class Scratch:
    """Memory that the calls of one launch share and nobody else reads. key: tells several of a launch apart."""

    elements: int
    dtype: DType = "real"
    key: str = ""


@dataclass(frozen=True)
class Table:
    """Real numbers of an op's attributes, as the weights of classes, in memory that no call may change."""

    numbers: tuple[float, ...]
    dtype: DType = "real"


Argument: TypeAlias = Slot | Scratch | Table | int | float


@dataclass(frozen=True)
class Call:
    """A grid of blocks of one device function.

    arguments: in the order of its parameters. shared: bytes of dynamic shared memory a block. shares: of a grid
    that does the work of several launches, their numbers in the plan and how much of it each is.
    cooperative: whether its blocks wait for one another, so that all must run at the same time. instead: the calls
    that do the same where a device does not have the room for that, or for the shared memory. A grid without blocks
    is not launched. Raises TypeError where the arguments are not what the function takes: nothing
    else would see it.
    """

    function: DeviceFunction
    blocks: int
    arguments: tuple[Argument, ...]
    shared: int = 0
    shares: tuple[tuple[int, int], ...] = ()
    cooperative: bool = False
    instead: tuple[Call, ...] = ()

    def __post_init__(self) -> None:
        name, parameters = self.function.name, self.function.parameters
        if len(parameters) != len(self.arguments):
            raise TypeError(f"{name} takes {len(parameters)} arguments, {len(self.arguments)} are given")
        for parameter, argument in zip(parameters, self.arguments, strict=True):
            if parameter.pointer:
                good = isinstance(argument, Slot | Scratch | Table) and argument.dtype == parameter.kind
                good = good and not (parameter.written and isinstance(argument, Table))
            else:
                good = type(argument) is (int if parameter.kind == "int" else float)
            if not good:
                raise TypeError(f"{name} takes {parameter.text!r}, {argument!r} is given")
            if isinstance(argument, int) and not -(2**31) <= argument < 2**31:
                raise TypeError(f"{name} takes {parameter.text!r}, which cannot hold {argument}")


def apart(calls: Sequence[Call]) -> list[Call]:
    """The calls without those whose blocks wait for one another; others do the same instead."""
    return [other for call in calls for other in (call.instead if call.cooperative else (call,))]


def blocks_for(elements: int, each: int = THREADS) -> int:
    """Blocks that so many elements are worth, `each` a block."""
    return -(-elements // each)


def elements(slot: Slot) -> int:
    """The number of elements of a slot."""
    return math.prod(slot.shape)


def threads_a_row(length: int) -> int:
    """Threads that share a row of so many elements: a power of two within a warp, or the whole block."""
    return min(WARP, two_power(length)) if length < THREADS else THREADS


def pack_of(*lengths: int) -> int:
    """Neighbouring elements that a thread moves at once: 4, 16 bytes of real ones, where all these lengths allow it."""
    return 1 if any(length % 4 for length in lengths) else 4


def two_power(number: int) -> int:
    """The least power of two that is not less."""
    return 1 << max(0, number - 1).bit_length()


Emit: TypeAlias = Callable[[Launch], Sequence[Call]]
EmitInPrecision: TypeAlias = Callable[[Launch, ProductPrecision], Sequence[Call]]

EMITTERS: dict[str, EmitInPrecision] = {}


def emits(*names: str) -> Callable[[Emit], Emit]:
    """Enter the decorated function as the one that makes the calls of the ops called `names`, in order.

    Each call may read what those before it have written. Raises ValueError for an op that has one.
    """

    def decorate(function: Emit) -> Emit:
        _enter(names, lambda launch, precision: function(launch))
        return function

    return decorate


def emits_in_precision(*names: str) -> Callable[[EmitInPrecision], EmitInPrecision]:
    """The same for products, whose calls hang on the precision that the spec's backend asks for."""

    def decorate(function: EmitInPrecision) -> EmitInPrecision:
        _enter(names, function)
        return function

    return decorate


def _enter(names: Sequence[str], function: EmitInPrecision) -> None:
    for name in names:
        if name in EMITTERS:
            raise ValueError(f"op {name!r} has two emitters")
        EMITTERS[name] = function
