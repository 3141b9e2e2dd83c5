"""The plain cell and the leaky one over a sequence: `nnctl.ops` says what they compute, scan.cuh how."""

from __future__ import annotations

from nnctl.backends.cuda.calls import Call, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.scan import Product, optional_mask, scan_calls
from nnctl.plan.plan import Launch

_FILE = "recurrence.cu"


@emits("rnn")
def _rnn(launch: Launch) -> list[Call]:
    attributes = launch.attributes
    return _forwards(launch, int(attributes["reverse"]), int(attributes["activation"] == "relu"), 1.0)


@emits("leaky_rnn")
def _leaky_rnn(launch: Launch) -> list[Call]:
    return _forwards(launch, 0, 0, float(launch.attributes["leak"]))


def _forwards(launch: Launch, reverse: int, relu: int, leak: float) -> list[Call]:
    p, weight, h0, *rest = launch.inputs
    mask, masked = optional_mask(rest)
    batch, steps, units = p.shape
    numbers = [batch, steps, units, masked, reverse, relu, leak]
    products = [Product(1, units)]
    return scan_calls(function(_FILE, "rnn"), products, steps, [p, weight, h0, mask, *launch.outputs], numbers)


@emits("rnn_gradient")
def _rnn_gradient(launch: Launch) -> list[Call]:
    h, weight, of_h, *rest = launch.inputs
    mask, masked = optional_mask(rest)
    batch, steps, units = h.shape
    relu = int(launch.attributes["activation"] == "relu")
    numbers = [batch, steps, units, masked, int(launch.attributes["reverse"]), relu]
    products = [Product(1, units)]
    pointers = [h, weight, of_h, mask, *launch.outputs]
    return scan_calls(function(_FILE, "rnn_gradient"), products, steps + 1, pointers, numbers)
