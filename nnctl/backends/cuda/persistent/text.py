"""The text of a persistent kernel: the units of all tasks, then one kernel that walks through rounds and levels.

It takes a table of arguments, with a row of addresses and numbers for each trial. The blocks of one number along the
grid's second axis have one row, and meet among themselves alone: a launch trains as many trials as its table has rows,
and none of them knows of the others. The table is the kernel's one parameter, so that a row is read from where
parameters lie, which no barrier makes anybody read again, and takes no registers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from nnctl.backends.cuda.bookkeeping import ARRIVED, LIVE, STEP
from nnctl.backends.cuda.codegen.dialect import is_plain, literal
from nnctl.backends.cuda.codegen.functions import ELEMENTS, DeviceFunction, Unit, prelude
from nnctl.backends.cuda.device import UNASKED_SHARED
from nnctl.backends.cuda.persistent.rounds import Rounds
from nnctl.backends.cuda.persistent.tasks import Pointer, Region, Task
from nnctl.late import dataclass

TABLE = 512
"""Entries of a table of arguments, of 8 bytes each: as much as every device takes as parameters."""
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
    values = list(dict.fromkeys(r for t in rounds.tasks for r in (*t.reads, *t.writes) if r.place == "value"))
    outside = {
        region
        for task in rounds.tasks
        if task.function is not None and _GLOBAL_ALONE.search(task.function.unit.text)
        for region in task.reads | task.writes
    }
    taken = max((task.shared for task in rounds.tasks), default=0)
    common: dict[Region, int] = {}
    shared_own: dict[Region, int] = {}
    own: dict[Region, int] = {}
    common_bytes = own_bytes = shared_bytes = 0
    for region in sorted(values, key=lambda r: (r.bytes, str(r.key))):
        if region not in rounds.own:
            places = 2 if region in rounds.alternating else 1
            common[region], common_bytes = common_bytes, common_bytes + places * _aligned(region.bytes, _ALIGNMENT)
        elif region not in outside and shared_bytes + _aligned(region.bytes, 16) + taken <= UNASKED_SHARED:
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
    """A persistent kernel, and what a row of its table has behind the first four entries.

    Those are the address of the trial's control block, the steps of its chunk, the addresses of the memory that all of
    its blocks have in common, and of that which each of them has for itself. Behind them come the addresses of regions,
    and numbers, as strengths and probabilities, each that of a task's operand.
    """

    function: DeviceFunction
    entries: tuple[Region | tuple[Task, int], ...]

    @property
    def most_rows(self) -> int:
        """Rows of a table at most."""
        return TABLE // (HEAD + len(self.entries))


def table_of(rows: Sequence[Sequence[int]]) -> np.void:
    """The table of arguments with these rows, as a launch is given it. Raises ValueError for more than it has room."""
    entries = [entry for row in rows for entry in row]
    if len(entries) > TABLE:
        raise ValueError(f"{len(entries)} arguments in {len(rows)} rows, and a table has {TABLE}")
    table = np.array(entries + [0] * (TABLE - len(entries)), np.int64)
    found: np.void = table.view(f"V{table.nbytes}")[0]
    return found


def kernel_of(name: str, rounds: Rounds, layout: Layout, cluster: int = 0) -> PersistentKernel:
    """The kernel that runs steps in these rounds. name: of the plan, in messages.

    cluster: the blocks of its grid where that is one cluster; else any number of blocks is launched together.
    """
    return _Text(rounds, layout, cluster).kernel(name)


_PARAMETER = f"""struct Table {{ long long at[{TABLE}]; }};
// A parameter that is read where it lies; devices before compute capability 7.0 copy it.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 700
#define IN_PLACE
#else
#define IN_PLACE __grid_constant__
#endif"""

_CLUSTER_BARRIER = """DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release;" ::: "memory"); }

// Wait until all threads of the cluster have arrived; what they wrote before is seen by all.
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire;" ::: "memory"); }

DEVICE void cluster_barrier() {
    cluster_arrive();
    cluster_wait();
}"""


_CONTROL, _STEPS, _COMMON, _OWN, HEAD = range(5)
"""Places in a row; behind its head come entries of the kernel's own."""


class _Text:
    def __init__(self, rounds: Rounds, layout: Layout, cluster: int) -> None:
        self._rounds = rounds
        self._layout = layout
        self._cluster = cluster
        self._meet = "cluster_barrier();" if cluster else "grid_barrier(gridDim.x, arrived);"
        self._units: dict[Unit, str] = {}
        self._entries: dict[Region | tuple[Task, int], int] = {}
        """Of a row, with their places: a region, or a task and the number of its operand."""
        self._scratch_is_free = True

    def kernel(self, name: str) -> PersistentKernel:
        """See `kernel_of`."""
        ahead, steps = list(self._ahead("0")), list(self._step())
        clustered = f"__cluster_dims__({self._cluster}, 1, 1) " if self._cluster else ""
        words = HEAD + len(self._entries)
        if words > TABLE:
            raise ValueError(f"the persistent kernel of {name!r} takes {words} arguments, and a table has {TABLE}")
        lines = [
            _PARAMETER,
            f'extern "C" __global__ void {clustered}__launch_bounds__(THREADS, 1) '
            "launch_steps(const IN_PLACE Table table) {",
            "    extern __shared__ __align__(16) float shared[];",
            f"    float* scratch = shared + {self._layout.scratch // 4};",
            f"    const long long* row = table.at + blockIdx.y * {words};",
            f"    int *control = (int*)row[{_CONTROL}], *arrived = control + {ARRIVED};",
            f"    long long own = row[{_OWN}] + (long long)(blockIdx.x) * {self._layout.own_bytes};",
            f"    int step = 0, last = control[{LIVE}] ? int(row[{_STEPS}]) : 0;",
            *(f"    {line}" for line in ahead),
            *([f"    {self._meet}"] if ahead else []),
            "    for (; step < last; ++step) {",
            *(f"        {line}" for line in steps),
            "    }",
            f"    if (blockIdx.x == 0 && threadIdx.x == 0) control[{STEP}] = step;",
            "}",
        ]
        barrier = [_CLUSTER_BARRIER] if self._cluster else []
        units = (_enclosed(unit, space) for unit, space in self._units.items())
        text = "\n".join([prelude(), *barrier, *units, *lines, ""])
        unit = PersistentUnit(f"the persistent kernel of {name!r}", text)
        return PersistentKernel(DeviceFunction("steps", unit, (), self._cluster), tuple(self._entries))

    def _step(self) -> Iterator[str]:
        last = len(self._rounds.levels) - 1
        for number, levels in enumerate(self._rounds.levels):
            yield f"// round {number}"
            if number == self._rounds.ahead_in and not self._rounds.ahead_waits:
                yield from self._ahead("step + 1")
            meets = number < last or self._rounds.meets
            waiting = [level for level in levels if self._rounds.waiting.issuperset(level)]
            present = [level for level in levels if level not in waiting]
            for level in present:
                yield from self._level(level)
                if level is not present[-1] or not meets:
                    yield "__syncthreads();"
            if meets:
                yield from self._meeting(waiting, number + 1 == self._rounds.ahead_in and self._rounds.ahead_waits)

    def _meeting(self, waiting: Sequence[Sequence[Task]], ahead: bool) -> Iterator[str]:
        """A barrier of the grid, and what a block does while it waits there."""
        # The threads of a cluster's block come one by one.
        self._scratch_is_free = not self._cluster
        lines = [line for level in waiting for task in level for line in self._in_turn(task)]
        lines += self._ahead("step + 1") if ahead else []
        if not lines:
            yield self._meet
            return
        yield "{"
        yield "    cluster_arrive();" if self._cluster else "    const unsigned all = grid_arrive(gridDim.x, arrived);"
        yield from (f"    {line}" for line in lines)
        yield "    cluster_wait();" if self._cluster else "    grid_wait(all, arrived);"
        yield "}"

    def _ahead(self, number: str) -> Iterator[str]:
        """The tasks of a step that are run before it begins, if the chunk has such a step."""
        if self._rounds.ahead:
            yield f"if ({number} < last) {{"
            yield f"    const int next = {number};"
            for task in self._rounds.ahead:
                yield from (f"    {line}" for line in self._dealt([task], "next"))
            yield "}"

    def _level(self, level: Sequence[Task]) -> Iterator[str]:
        """The tasks of a level, in any order; the threads of a block wait where two of them use its scratch."""
        placements = self._rounds.placements
        self._scratch_is_free = True
        for task in level:
            if task.function is None:
                yield f"if (!isfinite(*{self._operand(task, 0, 'step')})) break;"
            elif placements[task] == "everywhere":
                yield from self._in_turn(task)
        for chain in dict.fromkeys(placements[p] for p in level if isinstance(placements[p], int)):
            # Blocks of spread tasks are dealt from the first one on, chains from the last one.
            yield f"if (blockIdx.x == gridDim.x - 1 - {chain} % gridDim.x) {{"
            for task in level:
                if placements[task] == chain:
                    yield from (f"    {line}" for line in self._in_turn(task))
            yield "}"
        yield from self._dealt([p for p in level if placements[p] == "spread"])

    def _in_turn(self, task: Task) -> Iterator[str]:
        """All blocks of a task by one block, one after the other."""
        if task.blocks == 1:
            yield from self._scratch(task.shared)
            yield self._run(task, "0")
        else:
            yield from self._loop(f"int b = 0; b < {task.blocks}; ++b", task.shared, [self._run(task, "b")])

    def _dealt(self, tasks: Sequence[Task], step: str = "step") -> Iterator[str]:
        """The blocks of tasks, numbered through and dealt to the grid. step: the variable that holds its number."""
        first = 0
        lines: list[str] = []
        for task in tasks:
            run = self._run(task, f"b - {first}" if first else "b", step)
            first += task.blocks
            condition = f"if (b < {first}) " if len(tasks) > 1 else ""
            lines.append(f"{'else ' if lines else ''}{condition}{run}")
        if tasks:
            shared = max(task.shared for task in tasks)
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
        """A barrier where a task takes the block's scratch that another one may still be using."""
        if shared and not self._scratch_is_free:
            yield "__syncthreads();"
        self._scratch_is_free = self._scratch_is_free and not shared

    def _run(self, task: Task, block: str, step: str = "step") -> str:
        function = task.function
        assert function is not None
        space = self._units.setdefault(function.unit, f"unit{len(self._units)}")
        operands = (self._operand(task, number, step) for number in range(len(task.operands)))
        return f"{space}::{function.name}({', '.join([f'Block{{{block}, {task.blocks}, scratch}}', *operands])});"

    def _operand(self, task: Task, number: int, step: str) -> str:
        operand = task.operands[number]
        match operand:
            case Pointer():
                return self._pointer(operand, step)
            case int():
                return str(operand) if operand > -(2**31) else "(-2147483647 - 1)"
            case float():
                if is_plain(operand):
                    return literal(operand)
                return f"__int_as_float(int(row[{self._place((task, number))}]))"

    def _place(self, entry: Region | tuple[Task, int]) -> int:
        """The place of an entry in a row."""
        return self._entries.setdefault(entry, HEAD + len(self._entries))

    def _pointer(self, pointer: Pointer, step: str) -> str:
        region, element, layout = pointer.region, ELEMENTS[pointer.dtype], self._layout
        if region in layout.shared_own:
            return f"({element}*)(shared + {layout.shared_own[region] // 4})"
        if region in layout.own:
            return f"({element}*)(own + {layout.own[region]})"
        if region in self._rounds.alternating:
            place = f"{layout.common[region]} + {step} % 2 * {_aligned(region.bytes, _ALIGNMENT)}"
            return f"({element}*)(row[{_COMMON}] + {place})"
        if region in layout.common:
            return f"({element}*)(row[{_COMMON}] + {layout.common[region]})"
        entry = self._place(region)
        if region.place in ("feed", "kept"):
            return f"({element}*)(row[{entry}] + (long long)({step}) * {region.bytes})"
        return f"({element}*)row[{entry}]"


def _enclosed(unit: Unit, space: str) -> str:
    """A unit's text in a namespace of its own, and its macros forgotten behind it: units do not know each other."""
    forgotten = "\n".join(f"#undef {name}" for name in dict.fromkeys(_DEFINED.findall(unit.text)))
    return f'namespace {space} {{\n#line 1 "{unit.name}"\n{unit.text}\n}}\n{forgotten}'
