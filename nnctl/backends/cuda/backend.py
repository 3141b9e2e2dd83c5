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
from nnctl.backends.cuda.executable import CapturedWay, TimedSteps
from nnctl.backends.cuda.memory import Entries
from nnctl.backends.cuda.planner import CudaPlanner
from nnctl.backends.cuda.ways import PlanWays
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

        def ways() -> PlanWays:
            return PlanWays(_single(plan), self.device, self.precision, self.persistent)

        return self.device.shared.choice(plan, how, ways).load(storage, self.device)

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
