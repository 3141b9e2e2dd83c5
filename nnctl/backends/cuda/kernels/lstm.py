"""The long short-term memory over a sequence: `nnctl.ops` says what it computes, scan.cuh how."""

from __future__ import annotations

from nnctl.backends.cuda.calls import Call, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.scan import Product, gradients_given, optional_mask, scan_calls
from nnctl.plan.plan import Launch

_FILE = "lstm.cu"


@emits("lstm")
def _lstm(launch: Launch) -> list[Call]:
    p, weight, h0, c0, *rest = launch.inputs
    mask, masked = optional_mask(rest)
    batch, steps, _ = p.shape
    units = weight.shape[0]
    numbers = [batch, steps, units, masked, int(launch.attributes["reverse"])]
    products = [Product(4, units)]
    return scan_calls(function(_FILE, "lstm"), products, steps, [p, weight, h0, c0, mask, *launch.outputs], numbers)


@emits("lstm_gradient")
def _lstm_gradient(launch: Launch) -> list[Call]:
    gates, weight, c, c0, *rest = launch.inputs
    gradients, given = gradients_given(launch, rest, ("h", "c", "gates"))
    batch, steps, units = c.shape
    numbers = [batch, steps, units, *given, int(launch.attributes["reverse"])]
    products = [Product(1, 4 * units)]
    pointers = [gates, weight, c, c0, *gradients, *launch.outputs]
    return scan_calls(function(_FILE, "lstm_gradient"), products, steps + 1, pointers, numbers)
