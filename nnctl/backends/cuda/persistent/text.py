"""The text of a persistent kernel: the units of all tasks, then one kernel that walks through rounds and levels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nnctl.backends.cuda.codegen.dialect import literal
from nnctl.backends.cuda.codegen.functions import ELEMENTS, DeviceFunction, Kind, Parameter, Unit, prelude
from nnctl.backends.cuda.device import UNASKED_SHARED
from nnctl.backends.cuda.persistent.rounds import Rounds
from nnctl.backends.cuda.persistent.tasks import Operand, Pointer, Region, Task
from nnctl.late import dataclass
from nnctl.ops.shapes import DType
from nnctl.plan import dtypes

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
    """A persistent kernel and what it is given behind the five numbers and memories that each has: these regions."""

    function: DeviceFunction
    regions: tuple[Region, ...]


def kernel_of(name: str, rounds: Rounds, layout: Layout, cluster: int = 0) -> PersistentKernel:
    """The kernel that runs steps in these rounds. name: of the plan, in messages.

    cluster: the blocks of its grid where that is one cluster; else any number of blocks is launched together.
    """
    return _Text(rounds, layout, cluster).kernel(name)


_CLUSTER_BARRIER = """// Wait until all blocks of the cluster have come here; what they wrote before is seen by all.
DEVICE void cluster_barrier() {
    asm volatile("barrier.cluster.arrive.release;\\nbarrier.cluster.wait.acquire;" ::: "memory");
}"""


_MEMORIES = (
    Parameter("steps", "int", pointer=False, written=False, text="int steps"),
    Parameter("completed", "flag", pointer=True, written=True, text="int* completed"),
    Parameter("arrived", "flag", pointer=True, written=True, text="int* arrived"),
    Parameter("common", "uint8", pointer=True, written=True, text="unsigned char* common"),
    Parameter("own", "uint8", pointer=True, written=True, text="unsigned char* own"),
)


class _Text:
    def __init__(self, rounds: Rounds, layout: Layout, cluster: int) -> None:
        self._rounds = rounds
        self._layout = layout
        self._cluster = cluster
        self._meet = "cluster_barrier();" if cluster else "grid_barrier(gridDim.x, arrived);"
        self._units: dict[Unit, str] = {}
        self._given: dict[Region, tuple[str, DType]] = {}
        self._scratch_is_free = True

    def kernel(self, name: str) -> PersistentKernel:
        """See `kernel_of`."""
        ahead, steps = list(self._ahead("0")), list(self._step())
        clustered = f"__cluster_dims__({self._cluster}, 1, 1) " if self._cluster else ""
        taken = (*_MEMORIES, *(_parameter(given, dtype) for given, dtype in self._given.values()))
        lines = [
            f'extern "C" __global__ void {clustered}__launch_bounds__(THREADS, 1) launch_steps(const int* running, '
            f"{', '.join(p.text for p in taken)}) {{",
            "    extern __shared__ __align__(16) float shared[];",
            f"    float* scratch = shared + {self._layout.scratch // 4};",
            f"    own += (long long)(blockIdx.x) * {self._layout.own_bytes};",
            "    int step = 0, last = *running ? steps : 0;",
            *(f"    {line}" for line in ahead),
            *([f"    {self._meet}"] if ahead else []),
            "    for (; step < last; ++step) {",
            *(f"        {line}" for line in steps),
            "    }",
            "    if (blockIdx.x == 0 && threadIdx.x == 0) *completed = step;",
            "}",
        ]
        barrier = [_CLUSTER_BARRIER] if self._cluster else []
        units = (_enclosed(unit, space) for unit, space in self._units.items())
        text = "\n".join([prelude(), *barrier, *units, *lines, ""])
        unit = PersistentUnit(f"the persistent kernel of {name!r}", text)
        return PersistentKernel(DeviceFunction("steps", unit, taken, self._cluster), tuple(self._given))

    def _step(self) -> Iterator[str]:
        last = len(self._rounds.levels) - 1
        for number, levels in enumerate(self._rounds.levels):
            yield f"// round {number}"
            if number == self._rounds.ahead_in:
                yield from self._ahead("step + 1")
            for depth, level in enumerate(levels):
                yield from self._level(level)
                ends = depth == len(levels) - 1
                meets = ends and (number < last or self._rounds.meets)
                yield self._meet if meets else "__syncthreads();"

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
                (guard,) = task.operands
                yield f"if (!isfinite(*{self._operand(guard)})) break;"
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
        given = [f"Block{{{block}, {task.blocks}, scratch}}", *(self._operand(o, step) for o in task.operands)]
        return f"{space}::{function.name}({', '.join(given)});"

    def _operand(self, operand: Operand, step: str = "step") -> str:
        match operand:
            case Pointer():
                return self._pointer(operand, step)
            case int():
                return str(operand) if operand > -(2**31) else "(-2147483647 - 1)"
            case float():
                return literal(operand)

    def _pointer(self, pointer: Pointer, step: str) -> str:
        region, element, layout = pointer.region, ELEMENTS[pointer.dtype], self._layout
        if region in layout.shared_own:
            return f"({element}*)(shared + {layout.shared_own[region] // 4})"
        if region in layout.own:
            return f"({element}*)(own + {layout.own[region]})"
        if region in self._rounds.alternating:
            return f"({element}*)(common + {layout.common[region]} + {step} % 2 * {_aligned(region.bytes, _ALIGNMENT)})"
        if region in layout.common:
            return f"({element}*)(common + {layout.common[region]})"
        name, _ = self._given.setdefault(region, (f"p{len(self._given)}", pointer.dtype))
        if region.place in ("feed", "kept"):
            return f"({name} + (long long)({step}) * {region.bytes // dtypes.element(pointer.dtype).bytes})"
        return name


def _parameter(name: str, dtype: DType) -> Parameter:
    kind: Kind = dtype
    return Parameter(name, kind, pointer=True, written=True, text=f"{ELEMENTS[dtype]}* {name}")


def _enclosed(unit: Unit, space: str) -> str:
    """A unit's text in a namespace of its own, and its macros forgotten behind it: units do not know each other."""
    forgotten = "\n".join(f"#undef {name}" for name in dict.fromkeys(_DEFINED.findall(unit.text)))
    return f'namespace {space} {{\n#line 1 "{unit.name}"\n{unit.text}\n}}\n{forgotten}'
