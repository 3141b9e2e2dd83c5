"""The ways to run a plan on a device: captured launches, and persistent kernels that are worth a trial beside them."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.executable import CapturedWay
from nnctl.backends.cuda.persistent.choice import Grid, complete, obstacle, suits
from nnctl.backends.cuda.persistent.steps import PersistentWay
from nnctl.backends.cuda.persistent.tasks import Task, tasks_of
from nnctl.backends.cuda.persistent.trial import Way
from nnctl.backends.cuda.product_library import asks_library
from nnctl.errors import UsageError
from nnctl.plan.plan import Plan


class PlanWays:
    """The ways to run a plan, by the number of trials that share the device.

    precision: of products. persistent: whether a persistent kernel runs it; None where a trial finds that faster.
    Raises UsageError where none can run a training step that the spec wants run by one.
    """

    def __init__(self, plan: Plan, device: Device, precision: ProductPrecision, persistent: bool | None) -> None:
        self._captured = CapturedWay(plan, precision)
        self._wanted = bool(persistent)
        self._multiprocessors, self._largest_cluster = device.multiprocessors, device.largest_cluster
        tasks = () if persistent is False else _tasks(self._captured, device, precision, self._wanted)
        self._tasks = tasks
        self._kernels = device.shared.kernels(plan.name, tasks) if tasks else None
        self._persistent: dict[Grid, PersistentWay] = {}
        self._found: dict[int, Sequence[Way]] = {}

    def __call__(self, sharers: int) -> Sequence[Way]:
        """The ways worth a trial, first the one that is taken until then, whatever the sharers."""
        if sharers not in self._found:
            persistent = [self._kernel(grid) for grid in self._grids(sharers)]
            self._found[sharers] = persistent if self._wanted and persistent else [self._captured, *persistent]
        return self._found[sharers]

    def _grids(self, sharers: int) -> Sequence[Grid]:
        """The grids of persistent kernels, the most promising first; a wanted one begins with that of a trial alone."""
        if self._kernels is None:
            return []
        grids = self._kernels.grids(self._multiprocessors, self._largest_cluster, sharers)
        if self._wanted and sharers > 1:
            first = self._grids(1)[0]
            return [first, *(grid for grid in grids if grid != first)]
        return grids

    def _kernel(self, grid: Grid) -> PersistentWay:
        """The way by the kernel of a grid, one for all who ask."""
        assert self._kernels is not None
        if grid not in self._persistent:
            self._persistent[grid] = PersistentWay(self._captured.plan, self._tasks, self._kernels.of(grid))
        return self._persistent[grid]


def _tasks(captured: CapturedWay, device: Device, precision: ProductPrecision, wanted: bool) -> Sequence[Task]:
    """The tasks of which persistent kernels are made; none where these are not worth a trial."""
    plan = captured.plan
    if plan.guard is None or not (wanted or suits(plan)):
        return ()
    calls = calls_of(plan, precision)
    reason = obstacle(plan, calls)
    if not complete(calls) or reason is not None:
        if wanted:
            raise UsageError(f"no persistent kernel can run {plan.name}: {reason}\n  leave persistent: out")
        return ()
    if not wanted and asks_library(captured.pieces(device)):
        # Its sums are in another order: a trial would choose among results.
        return ()
    return tasks_of(plan, calls)
