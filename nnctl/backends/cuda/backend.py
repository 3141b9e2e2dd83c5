"""The CUDA backend over a device."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.blas import limit_blas_threads
from nnctl.backends.contract import Executable, Finding, Resources
from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.emission import calls_of
from nnctl.backends.cuda.executable import CapturedWay, TimedSteps
from nnctl.backends.cuda.memory import Entries
from nnctl.backends.cuda.persistent.choice import complete, grids_for, obstacle, suits
from nnctl.backends.cuda.persistent.steps import PersistentWay
from nnctl.backends.cuda.persistent.tasks import tasks_of
from nnctl.backends.cuda.persistent.trial import Way
from nnctl.backends.cuda.planner import CudaPlanner
from nnctl.backends.cuda.product_library import asks_library
from nnctl.errors import UsageError
from nnctl.plan.plan import Plan


class CudaBackend(CudaPlanner):
    """A `Backend` whose storage is arrays on a device.

    precision: of matrix products and convolutions. persistent: whether training steps are run by a persistent
    kernel; None for small nets for which a trial finds that faster than captured launches.
    """

    resources = Resources(1, "one device")

    def __init__(
        self, device: Device, precision: ProductPrecision = "float32", persistent: bool | None = False
    ) -> None:
        super().__init__(precision, device.products)
        # For constants and reference bodies, which are the host's.
        limit_blas_threads(1)
        self.device = device
        self.persistent = persistent

    def to_device(self, array: NDArray[Any]) -> Any:
        """See `Backend`."""
        return self.device.upload(array)

    def to_read(self, array: NDArray[Any]) -> Any:
        """See `Backend`."""
        return self.device.shared.to_read(array, self.device)

    def to_host(self, placed: Any) -> NDArray[Any]:
        """See `Backend`."""
        return self.device.download(placed)

    def copy_into(self, placed: Any, array: NDArray[Any], first: int = 0) -> None:
        """See `Backend`."""
        self.device.write(placed, array, first)

    def entries(self, placed: Any, first: int, shape: tuple[int, int]) -> Entries:
        """See `Backend`."""
        return Entries(placed[first : first + math.prod(shape)].reshape(shape))

    def memory_left(self) -> int:
        """See `Backend`."""
        return self.device.memory_left()

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> Executable:
        """See `Backend`.

        Raises ValueError for another precision than float32, UsageError where no persistent kernel can run the
        training step that the spec wants run by one.
        """
        how = (self.precision, self.persistent)
        return self.device.shared.choice(plan, how, lambda: self._ways(_single(plan))).load(storage, self.device)

    def _ways(self, plan: Plan) -> Sequence[Way]:
        """The ways to run a plan that are worth a trial, first the one that is taken until then."""
        captured = CapturedWay(plan, self.precision)
        persistent = self._persistent(captured)
        return persistent if self.persistent and persistent else [captured, *persistent]

    def _persistent(self, captured: CapturedWay) -> list[PersistentWay]:
        """The persistent kernels that are worth a trial beside captured launches, the most promising first."""
        plan = captured.plan
        if plan.guard is None or self.persistent is False or not (self.persistent or suits(plan)):
            return []
        calls = calls_of(plan, self.precision)
        reason = obstacle(plan, calls)
        if not complete(calls) or reason is not None:
            if self.persistent:
                raise UsageError(f"no persistent kernel can run {plan.name}: {reason}\n  leave persistent: out")
            return []
        device = self.device
        if not self.persistent and asks_library(captured.pieces(device)):
            # Its sums are in another order: a trial would choose among results.
            return []
        grids = grids_for(tasks_of(plan, calls), device.multiprocessors, device.largest_cluster)
        return [PersistentWay(plan, calls, grid) for grid in grids]

    def load_timed(self, plan: Plan, storage: Mapping[str, Any], *, retune: bool = False) -> TimedSteps:
        """See `Backend`."""
        return TimedSteps(CapturedWay(_single(plan), self.precision), storage, self.device)

    def describe(self) -> Sequence[Finding]:
        """See `Backend`."""
        return self.device.describe()


def _single(plan: Plan) -> Plan:
    if plan.precision != "float32":
        raise ValueError(f"the cuda backend computes in float32, the plan in {plan.precision}")
    return plan
