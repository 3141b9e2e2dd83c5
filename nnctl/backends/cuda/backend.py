"""The CUDA backend over a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.contract import Finding, Resources
from nnctl.backends.cuda.calls import ProductPrecision
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.executable import CapturedSteps, TimedSteps
from nnctl.backends.cuda.planner import CudaPlanner
from nnctl.plan.plan import Plan


class CudaBackend(CudaPlanner):
    """A `Backend` whose storage is arrays on a device. precision: of matrix products and convolutions."""

    resources = Resources(1, "one device")

    def __init__(self, device: Device, precision: ProductPrecision = "float32") -> None:
        super().__init__(precision, device.products)
        self.device = device

    def to_device(self, array: NDArray[Any]) -> Any:
        """See `Backend`."""
        return self.device.upload(array)

    def to_host(self, placed: Any) -> NDArray[Any]:
        """See `Backend`."""
        return self.device.download(placed)

    def copy_into(self, placed: Any, array: NDArray[Any], first: int = 0) -> None:
        """See `Backend`."""
        self.device.write(placed, array, first)

    def memory_left(self) -> int:
        """See `Backend`."""
        return self.device.memory_left()

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> CapturedSteps:
        """See `Backend`. Raises ValueError for another precision than float32."""
        return CapturedSteps(_single(plan), storage, self.device, self.precision)

    def load_timed(self, plan: Plan, storage: Mapping[str, Any]) -> TimedSteps:
        """See `Backend`."""
        return TimedSteps(_single(plan), storage, self.device, self.precision)

    def describe(self) -> Sequence[Finding]:
        """See `Backend`."""
        return self.device.describe()


def _single(plan: Plan) -> Plan:
    if plan.precision != "float32":
        raise ValueError(f"the cuda backend computes in float32, the plan in {plan.precision}")
    return plan
