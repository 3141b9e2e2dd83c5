"""Persistent kernels by their grids: one for all plans whose tasks differ in numbers alone."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property

from nnctl.backends.cuda.calls import THREADS
from nnctl.backends.cuda.codegen.dialect import is_plain, literal
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.persistent.choice import Grid, grids_for
from nnctl.backends.cuda.persistent.rounds import Rounds, rounds_of
from nnctl.backends.cuda.persistent.tasks import Operand, Region, Task
from nnctl.backends.cuda.persistent.text import Layout, PersistentKernel, kernel_of, layout_of


class GridKernel:
    """A persistent kernel with its grid. name: of the plan, in messages. tasks: of one of the plans that it is for."""

    def __init__(self, name: str, tasks: Sequence[Task], grid: Grid) -> None:
        self._name, self._tasks = name, tasks
        self.grid = grid

    @cached_property
    def rounds(self) -> Rounds:
        """The rounds that its blocks run between two barriers."""
        return rounds_of(self._tasks, alone=self.grid.blocks == 1)

    @cached_property
    def layout(self) -> Layout:
        """The places of a step's values."""
        return layout_of(self.rounds)

    @cached_property
    def kernel(self) -> PersistentKernel:
        """The kernel, and what it is given."""
        return kernel_of(self._name, self.rounds, self.layout, self.grid.blocks if self.grid.cluster else 0)

    @property
    def cooperative(self) -> bool:
        """True where its blocks must be launched as such that run together: those of a cluster do in any case."""
        return self.grid.blocks > 1 and not self.grid.cluster

    def rows(self, device: Device) -> int:
        """Trials, at most, whose chunks one launch has; at least one."""
        most = self.kernel.most_rows
        if self.cooperative:
            loaded = device.load(self.kernel.function)
            most = min(most, device.blocks_together(loaded, THREADS, self.layout.shared) // self.grid.blocks)
        return max(1, most)

    def entries(self, tasks: Sequence[Task]) -> list[Region | float]:
        """The entries of a row behind its head: regions, and numbers of the tasks of any plan that it is for."""
        places = {task: number for number, task in enumerate(self._tasks)}
        found: list[Region | float] = []
        for entry in self.kernel.entries:
            if isinstance(entry, Region):
                found.append(entry)
                continue
            task, operand = entry
            number = tasks[places[task]].operands[operand]
            assert isinstance(number, float)
            found.append(number)
        return found


class StepKernels:
    """The persistent kernels for tasks, and for all others of the same kind. name: of the plan, in messages."""

    def __init__(self, name: str, tasks: Sequence[Task]) -> None:
        self._name, self._tasks = name, tasks
        self._made: dict[Grid, GridKernel] = {}
        self._grids: dict[tuple[int, int, int], list[Grid]] = {}

    def of(self, grid: Grid) -> GridKernel:
        """The kernel of a grid."""
        if grid not in self._made:
            self._made[grid] = GridKernel(self._name, self._tasks, grid)
        return self._made[grid]

    def grids(self, multiprocessors: int, largest_cluster: int, sharers: int) -> list[Grid]:
        """See `grids_for`."""
        key = (multiprocessors, largest_cluster, sharers)
        if key not in self._grids:
            self._grids[key] = grids_for(self._tasks, *key)
        return self._grids[key]


def kind_of(name: str, tasks: Sequence[Task]) -> Hashable:
    """The part of tasks that kernels hang on, equal for all that differ in numbers alone. name: of the plan."""
    return name, tuple(
        (task.function, task.blocks, task.shared, task.guarded, *map(_kind_of_operand, task.operands)) for task in tasks
    )


def _kind_of_operand(operand: Operand) -> Hashable:
    if isinstance(operand, float):
        # As text: 0 and −0 are equal, and not the same.
        return literal(operand) if is_plain(operand) else float
    return operand
