"""The gated recurrent unit over a sequence: `nnctl.ops` says what it computes, scan.cuh how."""

from __future__ import annotations

from nnctl.backends.cuda.calls import Call, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.scan import Product, gradients_given, optional_mask, scan_calls
from nnctl.plan.plan import Launch

_FILE = "gru.cu"


@emits("gru")
def _gru(launch: Launch) -> list[Call]:
    p, weight, bias, h0, *rest = launch.inputs
    mask, masked = optional_mask(rest)
    batch, steps, _ = p.shape
    units = weight.shape[0]
    pointers = [p, weight, bias, h0, mask, *launch.outputs]
    numbers = [batch, steps, units, masked, int(launch.attributes["reverse"])]
    if launch.attributes["reset_after"]:
        products = [Product(4, units)]
        return scan_calls(function(_FILE, "gru"), products, steps, pointers, numbers)
    products = [Product(4, units), Product(1, units)]
    return scan_calls(function(_FILE, "gru_reset_before"), products, 2 * steps, pointers, numbers)


@emits("gru_gradient")
def _gru_gradient(launch: Launch) -> list[Call]:
    gates, weight, h, h0, *rest = launch.inputs
    gradients, given = gradients_given(launch, rest, ("h", "gates"))
    batch, steps, units = h.shape
    pointers = [gates, weight, h, h0, *gradients, *launch.outputs]
    numbers = [batch, steps, units, *given, int(launch.attributes["reverse"])]
    if launch.attributes["reset_after"]:
        products = [Product(1, 3 * units)]
        return scan_calls(function(_FILE, "gru_gradient"), products, steps + 1, pointers, numbers)
    products = [Product(1, 2 * units), Product(1, units)]
    return scan_calls(function(_FILE, "gru_gradient_reset_before"), products, 2 * steps + 1, pointers, numbers)
