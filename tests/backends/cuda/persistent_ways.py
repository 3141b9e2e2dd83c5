"""Persistent kernels that tests choose themselves."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.backends.cuda.calls import Call
from nnctl.backends.cuda.persistent.choice import Grid
from nnctl.backends.cuda.persistent.kernels import GridKernel
from nnctl.backends.cuda.persistent.steps import PersistentWay
from nnctl.backends.cuda.persistent.tasks import tasks_of
from nnctl.plan.plan import Plan


def persistent_way(plan: Plan, calls: Sequence[Sequence[Call]], grid: Grid) -> PersistentWay:
    """The way by a kernel of that grid, which no other plan shares."""
    tasks = tasks_of(plan, calls)
    return PersistentWay(plan, tasks, GridKernel(plan.name, tasks, grid))
