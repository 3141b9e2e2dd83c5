"""The CUDA backend over a device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.codegen.arguments import label
from nnctl.backends.contract import Finding, Resources
from nnctl.backends.cuda.calls import THREADS, ProductPrecision
from nnctl.backends.cuda.codegen.functions import Unit
from nnctl.backends.cuda.device import Device
from nnctl.backends.cuda.executable import CapturedSteps, TimedSteps
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.backends.cuda.library import LibraryCall, pieces_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.ir import Graph
from nnctl.graph.views import VIEWS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.dtypes import Precision
from nnctl.plan.plan import Plan


class CudaBackend:
    """A `Backend` whose storage is arrays on a device. precision: of matrix products and convolutions."""

    name = "cuda"
    takes_any_op = True
    resources = Resources(1, "one device")

    def __init__(self, device: Device, precision: ProductPrecision = "float32") -> None:
        self.device = device
        self.precision = precision

    def missing(self, graph: Graph) -> tuple[str, ...]:
        """See `Backend`: reference bodies run between graphs. What has no inputs is computed once, on the host."""
        launched = (n for n in graph.nodes if n.inputs and n.op.name not in VIEWS)
        ops = (n.op for n in launched if not isinstance(n.op, ElementwiseOp))
        return tuple(sorted({op.name for op in ops}.difference(EMITTERS)))

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

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """See `Backend`."""
        return lowered(graph, sizes, precision)

    def load(self, plan: Plan, storage: Mapping[str, Any]) -> CapturedSteps:
        """See `Backend`. Raises ValueError for another precision than float32."""
        return CapturedSteps(_single(plan), storage, self.device, self.precision)

    def load_timed(self, plan: Plan, storage: Mapping[str, Any]) -> TimedSteps:
        """See `Backend`."""
        return TimedSteps(_single(plan), storage, self.device, self.precision)

    def listing(self, plan: Plan) -> str:
        """See `Backend`: the calls of a step in order, then the units that they are compiled from, each once."""
        lines: list[str] = []
        units: dict[Unit, None] = {}
        pieces = pieces_of(plan, self.precision, self.device.products)
        for launch, of_launch in zip(plan.launches, pieces, strict=True):
            lines.append(f"// {label(launch)}")
            for piece in of_launch or ():
                if isinstance(piece, LibraryCall):
                    lines.append(f"// {piece.product} by a library")
                    continue
                units[piece.function.unit] = None
                lines.append(f"{piece.function.name}<<<{piece.blocks}, {THREADS}, {piece.shared}>>>();")
            if of_launch is None:
                lines.append("// the reference body runs, outside any graph")
            elif not of_launch:
                lines.append("// in a grid above")
        texts = [f"// {unit.name}\n\n{unit.text}" for unit in units]
        return "\n\n".join(["\n".join(lines), *texts])

    def describe(self) -> Sequence[Finding]:
        """See `Backend`."""
        return self.device.describe()


def _single(plan: Plan) -> Plan:
    if plan.precision != "float32":
        raise ValueError(f"the cuda backend computes in float32, the plan in {plan.precision}")
    return plan
