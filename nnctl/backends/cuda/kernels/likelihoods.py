"""Log-likelihoods of labels, plain and with smoothed labels and weighted classes."""

from __future__ import annotations

from nnctl.backends.cuda.calls import Call, Table, blocks_for, elements, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.classification import by_rows
from nnctl.plan.plan import Launch

_FILE = "likelihoods.cu"


@emits("softmax_log_likelihood", "log_likelihood")
def _likelihood(launch: Launch) -> list[Call]:
    (scores, labels), (out,), name = launch.inputs, launch.outputs, launch.op.name
    if _weighted(launch):
        weights, hot, smooth = _shares(launch, scores.shape[-1])
        return by_rows(_FILE, f"{name}_weighted", scores, [labels, weights, out], [hot, smooth])
    if name == "softmax_log_likelihood":
        return by_rows(_FILE, name, scores, [labels, out])
    rows = elements(out)
    return [Call(function(_FILE, name), blocks_for(rows), (scores, labels, out, rows, scores.shape[-1]))]


@emits("target_distribution")
def _target_distribution(launch: Launch) -> list[Call]:
    (labels,), (out,) = launch.inputs, launch.outputs
    count, classes = elements(out), out.shape[-1]
    weights, hot, smooth = _shares(launch, classes)
    arguments = (labels, weights, out, count, classes, hot, smooth)
    return [Call(function(_FILE, launch.op.name), blocks_for(count), arguments)]


def _weighted(launch: Launch) -> bool:
    """True where more than the label's class counts, or not as 1."""
    return bool(launch.attributes.get("label_smoothing")) or launch.attributes.get("class_weights") is not None


def _shares(launch: Launch, classes: int) -> tuple[Table, float, float]:
    """The weights of classes, what the label's class has more than the others, and what each has."""
    smoothing = float(launch.attributes.get("label_smoothing") or 0.0)
    weights = launch.attributes.get("class_weights") or (1.0,) * classes
    return Table(tuple(map(float, weights))), 1.0 - smoothing, smoothing / classes
