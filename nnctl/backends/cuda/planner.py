"""The half of the CUDA backend that needs no device: plans, and their calls as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nnctl.backends.codegen.names import label
from nnctl.backends.cuda.calls import THREADS, Call, ProductPrecision
from nnctl.backends.cuda.codegen.functions import Unit
from nnctl.backends.cuda.kernels import EMITTERS
from nnctl.backends.cuda.product_library import LibraryCall, Piece, ProductLibrary, pieces_of
from nnctl.backends.cuda.schedule import lowered
from nnctl.graph.ir import Graph
from nnctl.graph.views import VIEWS
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.plan.dtypes import Precision
from nnctl.plan.plan import Plan


class CudaPlanner:
    """A `Planner`. precision: of matrix products and convolutions. products: a device's library for large ones."""

    name = "cuda"
    takes_any_op = True

    def __init__(self, precision: ProductPrecision = "float32", products: ProductLibrary | None = None) -> None:
        self.precision = precision
        self._products = products

    def missing(self, graph: Graph) -> tuple[str, ...]:
        """See `Backend`: reference bodies run between graphs. What has no inputs is computed once, on the host."""
        launched = (n for n in graph.nodes if n.inputs and n.op.name not in VIEWS)
        ops = (n.op for n in launched if not isinstance(n.op, ElementwiseOp))
        return tuple(sorted({op.name for op in ops}.difference(EMITTERS)))

    def plan(self, graph: Graph, sizes: Mapping[str, int], precision: Precision = "float32") -> Plan:
        """See `Backend`."""
        return lowered(graph, sizes, precision)

    def listing(self, plan: Plan) -> str:
        """See `Backend`: the calls of a step in order, then the units that they are compiled from, each once.

        A call is given with its constants. One that makes several launches stands at one of them, and is named at the
        others.
        """
        lines: list[str] = []
        units: dict[Unit, None] = {}
        pieces = pieces_of(plan, self.precision, self._products)
        makers = _makers(plan, pieces)
        for number, (launch, of_launch) in enumerate(zip(plan.launches, pieces, strict=True)):
            lines.append(f"// {label(launch)}")
            for piece in of_launch or ():
                if isinstance(piece, LibraryCall):
                    lines.append(f"// {piece.product} by a library")
                    continue
                units[piece.function.unit] = None
                lines.append(
                    f"{piece.function.name}<<<{piece.blocks}, {THREADS}, {piece.shared}>>>({_constants(piece)});"
                )
            if of_launch is None:
                lines.append("// the reference body runs, outside any graph")
            elif not of_launch:
                lines.append(f"// made by {makers.get(number, 'a product of the library')}")
        texts = [f"// {unit.name}\n\n{unit.text}" for unit in units]
        return "\n\n".join(["\n".join(lines), *texts])


def _constants(call: Call) -> str:
    """The real numbers that a call is given, by the names of the parameters."""
    given = zip(call.function.parameters, call.arguments, strict=True)
    return ", ".join(f"{parameter.name} = {value:.9g}" for parameter, value in given if isinstance(value, float))


def _makers(plan: Plan, pieces: Sequence[Sequence[Piece] | None]) -> dict[int, str]:
    """The call that makes a launch beside that at which it stands, by the launch's number, in words."""
    return {
        number: f"{piece.function.name}, the call of {launch.outputs[0].name}"
        for launch, of_launch in zip(plan.launches, pieces, strict=True)
        for piece in of_launch or ()
        if isinstance(piece, Call)
        for number, _ in piece.shares
    }
