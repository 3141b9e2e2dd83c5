"""Log-likelihoods of labels, plain and with smoothed labels and weighted classes."""

from __future__ import annotations

import math
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.mathematics import F, log
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.kernels.classification import class_numbers
from nnctl.backends.cpu.vectors.rows import exponentials, softmax_with_sums
from nnctl.plan.plan import Launch


@compiled
def softmax_log_likelihood(z: Any, labels: Any, scratch: Any, out: Any) -> None:
    """ln Σ_k e^(z_k) − z_y."""
    largest = window1(scratch, 0, out.size)
    _log_normalizers(z, largest, out)
    for i in range(out.size):
        out[i] -= z[i, labels[i]] - largest[i]


@compiled
def softmax_and_likelihood(z: Any, labels: Any, scratch: Any, a: Any, out: Any) -> None:
    """a ← softmax(z); out ← ln Σ_k e^(z_k) − z_y."""
    largest = window1(scratch, 0, out.size)
    softmax_with_sums(z.shape[0], z.shape[1], z, a, largest, out)
    for i in range(out.size):
        out[i] = log(out[i])
    for i in range(out.size):
        out[i] -= z[i, labels[i]] - largest[i]


@compiled
def softmax_log_likelihood_weighted(z: Any, labels: Any, smoothing: Any, weights: Any, scratch: Any, out: Any) -> None:
    """−Σ_k q_k ln softmax(z)_k."""
    largest = window1(scratch, 0, out.size)
    _log_normalizers(z, largest, out)
    for i in range(out.size):
        s = F(0.0)
        for k in range(z.shape[1]):
            s -= _share(labels[i], k, smoothing, weights) * (z[i, k] - largest[i] - out[i])
        out[i] = s


@compiled
def _log_normalizers(z: Any, largest: Any, out: Any) -> None:
    """(max, ln Σ e^(z − max)) of each row."""
    exponentials(z.shape[0], z.shape[1], z, largest, out)
    for i in range(out.size):
        out[i] = log(out[i])


@compiled
def log_likelihood(a: Any, labels: Any, out: Any) -> None:
    """−ln a_y."""
    for i in range(out.size):
        out[i] = -log(a[i, labels[i]])


@compiled
def log_likelihood_weighted(a: Any, labels: Any, smoothing: Any, weights: Any, out: Any) -> None:
    """−Σ_k q_k ln a_k, 0·ln 0 being 0."""
    for i in range(out.size):
        s = F(0.0)
        for k in range(a.shape[1]):
            q = _share(labels[i], k, smoothing, weights)
            s -= q * log(a[i, k] if q != F(0.0) else F(1.0))
        out[i] = s


@compiled
def target_distribution(labels: Any, smoothing: Any, weights: Any, out: Any) -> None:
    """q of each example."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = _share(labels[i], k, smoothing, weights)


@compiled
def _share(label: Any, k: Any, smoothing: Any, weights: Any) -> Any:
    """q_k: what the log-likelihood weighs −ln a_k with."""
    hot = F(1.0) - smoothing if label == k else F(0.0)
    return weights[k] * (hot + smoothing / F(weights.size))


def _scratch(launch: Launch) -> int:
    """Of the largest score of each example."""
    return math.prod(launch.outputs[0].shape) if launch.op.name == "softmax_log_likelihood" else 0


def _scratch_of_both(launch: Launch) -> int:
    return math.prod(launch.outputs[1].shape)


@emits("softmax_and_likelihood", calls=(softmax_and_likelihood,), scratch=_scratch_of_both, rows=True)
def _softmax_and_likelihood(writer: Writer, launch: Launch) -> None:
    (z, labels), (a, out), part = launch.inputs, launch.outputs, part_of(launch)
    read = f"{writer.matrix(z, part)}, {writer.view(labels, part)}"
    writer.line(f"softmax_and_likelihood({read}, scratch, {writer.matrix(a, part)}, {writer.view(out, part)})")


@emits(
    "softmax_log_likelihood",
    "log_likelihood",
    "target_distribution",
    calls=(
        log_likelihood,
        log_likelihood_weighted,
        softmax_log_likelihood,
        softmax_log_likelihood_weighted,
        target_distribution,
    ),
    scratch=_scratch,
    rows=True,
)
def _likelihood(writer: Writer, launch: Launch) -> None:
    *scores, labels = launch.inputs
    out = launch.outputs[0]
    part = part_of(launch)
    attributes: dict[str, Any] = dict(launch.attributes)
    weights = attributes.get("class_weights")
    smoothing = float(attributes.get("label_smoothing") or 0.0)
    read = [writer.matrix(s, part) for s in scores]
    label_view, result = writer.view(labels, part), writer.view(out, part)
    if launch.op.name == "target_distribution":
        read, result = [], writer.matrix(out, part)
    room = ["scratch"] if launch.op.name == "softmax_log_likelihood" else []
    plain = weights is None and not smoothing and scores
    if plain:
        writer.line(f"{launch.op.name}({', '.join([*read, label_view, *room, result])})")
        return
    classes = scores[0].shape[-1] if scores else out.shape[-1]
    numbers = [writer.number(smoothing), class_numbers(writer, weights, classes)]
    name = launch.op.name if not scores else f"{launch.op.name}_weighted"
    writer.line(f"{name}({', '.join([*read, label_view, *numbers, *room, result])})")
