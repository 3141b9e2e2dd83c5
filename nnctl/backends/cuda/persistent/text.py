"""The text of a persistent kernel: the units of all pieces, then one kernel that walks through rounds and levels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nnctl.backends.cuda.codegen.dialect import literal
from nnctl.backends.cuda.codegen.functions import ELEMENTS, DeviceFunction, Kind, Parameter, Unit, prelude
from nnctl.backends.cuda.persistent.pieces import Operand, Piece, Pointer, Region
from nnctl.backends.cuda.persistent.rounds import Rounds
from nnctl.ops.shapes import DType

MOST_SHARED = 48 * 1024
"""Bytes of shared memory that any device gives a block without being asked."""
_ALIGNMENT = 256
_DEFINED = re.compile(r"^\s*#define (\w+)", re.MULTILINE)
_GLOBAL_ALONE = re.compile(r"\basm\b|\b__ldg\b")
"""Words of functions that may ask for memory outside of the block, whatever a pointer points to."""


@dataclass(frozen=True)
class Layout:
    """The places of regions: in memory common to all blocks, in shared memory, and in what each block has besides.

    offsets: in bytes. shared: bytes of shared memory a block, with what functions take.
    """

    common: dict[Region, int]
    shared_own: dict[Region, int]
    own: dict[Region, int]
    common_bytes: int
    own_bytes: int
    scratch: int
    shared: int


def layout_of(rounds: Rounds) -> Layout:
    """The places of the values of a step: a block's own in shared memory as long as there is room, small ones first."""
    pieces = [piece for of_round in rounds.levels for level in of_round for piece in level]
    values = list(dict.fromkeys(r for p in pieces for r in (*p.reads, *p.writes) if r.place == "value"))
    outside = {
        region
        for p in pieces
        if p.function is not None and _GLOBAL_ALONE.search(p.function.unit.text)
        for region in p.reads | p.writes
    }
    taken = max((p.shared for p in pieces), default=0)
    common: dict[Region, int] = {}
    shared_own: dict[Region, int] = {}
    own: dict[Region, int] = {}
    common_bytes = own_bytes = shared_bytes = 0
    for region in sorted(values, key=lambda r: (r.bytes, str(r.key))):
        if region not in rounds.own:
            common[region], common_bytes = common_bytes, common_bytes + _aligned(region.bytes, _ALIGNMENT)
        elif region not in outside and shared_bytes + _aligned(region.bytes, 16) + taken <= MOST_SHARED:
            shared_own[region], shared_bytes = shared_bytes, shared_bytes + _aligned(region.bytes, 16)
        else:
            own[region], own_bytes = own_bytes, own_bytes + _aligned(region.bytes, _ALIGNMENT)
    return Layout(common, shared_own, own, common_bytes, own_bytes, shared_bytes, shared_bytes + taken)


def _aligned(size: int, to: int) -> int:
    return -(-max(1, size) // to) * to


@dataclass(frozen=True)
class PersistentUnit(Unit):
    """A text that holds its kernel itself."""

    @property
    def module(self) -> str:
        """The text as it is compiled."""
        return self.text


@dataclass(frozen=True)
class PersistentKernel:
    """A persistent kernel and what it is given behind the five numbers and memories that each has: these regions."""

    function: DeviceFunction
    regions: tuple[Region, ...]


def kernel_of(name: str, rounds: Rounds, layout: Layout) -> PersistentKernel:
    """The kernel that runs steps in these rounds. name: of the plan, in messages."""
    return _Text(rounds, layout).kernel(name)


_MEMORIES = (
    Parameter("steps", "int", pointer=False, written=False, text="int steps"),
    Parameter("completed", "flag", pointer=True, written=True, text="int* completed"),
    Parameter("arrived", "flag", pointer=True, written=True, text="int* arrived"),
    Parameter("common", "uint8", pointer=True, written=True, text="unsigned char* common"),
    Parameter("own", "uint8", pointer=True, written=True, text="unsigned char* own"),
)


class _Text:
    def __init__(self, rounds: Rounds, layout: Layout) -> None:
        self._rounds = rounds
        self._layout = layout
        self._units: dict[Unit, str] = {}
        self._given: dict[Region, tuple[str, DType]] = {}
        self._scratch_is_free = True

    def kernel(self, name: str) -> PersistentKernel:
        """See `kernel_of`."""
        steps = list(self._step())
        taken = (*_MEMORIES, *(_parameter(given, dtype) for given, dtype in self._given.values()))
        lines = [
            f'extern "C" __global__ void __launch_bounds__(THREADS) launch_steps(const int* running, '
            f"{', '.join(p.text for p in taken)}) {{",
            "    extern __shared__ __align__(16) float shared[];",
            f"    float* scratch = shared + {self._layout.scratch // 4};",
            f"    own += (long long)(blockIdx.x) * {self._layout.own_bytes};",
            "    int step = 0, last = *running ? steps : 0;",
            "    for (; step < last; ++step) {",
            *(f"        {line}" for line in steps),
            "    }",
            "    if (blockIdx.x == 0 && threadIdx.x == 0) *completed = step;",
            "}",
        ]
        text = "\n".join([prelude(), *(_enclosed(unit, space) for unit, space in self._units.items()), *lines, ""])
        unit = PersistentUnit(f"the persistent kernel of {name!r}", text)
        return PersistentKernel(DeviceFunction("steps", unit, taken), tuple(self._given))

    def _step(self) -> Iterator[str]:
        last = len(self._rounds.levels) - 1
        for number, levels in enumerate(self._rounds.levels):
            yield f"// round {number}"
            for depth, level in enumerate(levels):
                yield from self._level(level)
                ends = depth == len(levels) - 1
                meets = ends and (number < last or self._rounds.meets)
                yield "grid_barrier(gridDim.x, arrived);" if meets else "__syncthreads();"

    def _level(self, level: Sequence[Piece]) -> Iterator[str]:
        """The pieces of a level, in any order; the threads of a block wait where two of them use its scratch."""
        placements = self._rounds.placements
        self._scratch_is_free = True
        for piece in level:
            if piece.function is None:
                (guard,) = piece.operands
                yield f"if (!isfinite(*{self._operand(guard)})) break;"
            elif placements[piece] == "everywhere":
                yield from self._in_turn(piece)
        for chain in dict.fromkeys(placements[p] for p in level if isinstance(placements[p], int)):
            # Blocks of spread pieces are dealt from the first one on, chains from the last one.
            yield f"if (blockIdx.x == gridDim.x - 1 - {chain} % gridDim.x) {{"
            for piece in level:
                if placements[piece] == chain:
                    yield from (f"    {line}" for line in self._in_turn(piece))
            yield "}"
        yield from self._dealt([p for p in level if placements[p] == "spread"])

    def _in_turn(self, piece: Piece) -> Iterator[str]:
        """All blocks of a piece by one block, one after the other."""
        if piece.blocks == 1:
            yield from self._scratch(piece.shared)
            yield self._run(piece, "0")
        else:
            yield from self._loop(f"int b = 0; b < {piece.blocks}; ++b", piece.shared, [self._run(piece, "b")])

    def _dealt(self, pieces: Sequence[Piece]) -> Iterator[str]:
        """The blocks of pieces, numbered through and dealt to the grid."""
        first = 0
        lines: list[str] = []
        for piece in pieces:
            run = self._run(piece, f"b - {first}" if first else "b")
            first += piece.blocks
            condition = f"if (b < {first}) " if len(pieces) > 1 else ""
            lines.append(f"{'else ' if lines else ''}{condition}{run}")
        if pieces:
            shared = max(piece.shared for piece in pieces)
            yield from self._loop(f"int b = blockIdx.x; b < {first}; b += gridDim.x", shared, lines)

    def _loop(self, head: str, shared: int, body: Sequence[str]) -> Iterator[str]:
        yield from self._scratch(shared)
        yield "#pragma unroll 1"
        yield f"for ({head}) {{"
        yield from (f"    {line}" for line in body)
        if shared:
            yield "    __syncthreads();"
        yield "}"

    def _scratch(self, shared: int) -> Iterator[str]:
        """A barrier where a piece takes the block's scratch that another one may still be using."""
        if shared and not self._scratch_is_free:
            yield "__syncthreads();"
        self._scratch_is_free = self._scratch_is_free and not shared

    def _run(self, piece: Piece, block: str) -> str:
        function = piece.function
        assert function is not None
        space = self._units.setdefault(function.unit, f"unit{len(self._units)}")
        given = ", ".join([f"Block{{{block}, {piece.blocks}, scratch}}", *map(self._operand, piece.operands)])
        return f"{space}::{function.name}({given});"

    def _operand(self, operand: Operand) -> str:
        match operand:
            case Pointer():
                return self._pointer(operand)
            case int():
                return str(operand) if operand > -(2**31) else "(-2147483647 - 1)"
            case float():
                return literal(operand)

    def _pointer(self, pointer: Pointer) -> str:
        region, element = pointer.region, ELEMENTS[pointer.dtype]
        for places, base in ((self._layout.common, "common"), (self._layout.own, "own")):
            if region in places:
                return f"({element}*)({base} + {places[region]})"
        if region in self._layout.shared_own:
            return f"({element}*)(shared + {self._layout.shared_own[region] // 4})"
        name, _ = self._given.setdefault(region, (f"p{len(self._given)}", pointer.dtype))
        if region.place in ("feed", "kept"):
            return f"({name} + (long long)(step) * {region.bytes // _BYTES[pointer.dtype]})"
        return name


_BYTES: dict[DType, int] = {"real": 4, "index": 8, "uint8": 1}


def _parameter(name: str, dtype: DType) -> Parameter:
    kind: Kind = dtype
    return Parameter(name, kind, pointer=True, written=True, text=f"{ELEMENTS[dtype]}* {name}")


def _enclosed(unit: Unit, space: str) -> str:
    """A unit's text in a namespace of its own, and its macros forgotten behind it: units do not know each other."""
    forgotten = "\n".join(f"#undef {name}" for name in dict.fromkeys(_DEFINED.findall(unit.text)))
    return f'namespace {space} {{\n#line 1 "{unit.name}"\n{unit.text}\n}}\n{forgotten}'
