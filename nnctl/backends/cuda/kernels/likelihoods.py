"""Log-likelihoods of labels, plain and with smoothed labels and weighted classes."""

from __future__ import annotations

from dataclasses import replace

from nnctl.backends.cuda.calls import Call, Table, blocks_for, elements, emits
from nnctl.backends.cuda.codegen.functions import function
from nnctl.backends.cuda.kernels.classification import by_rows
from nnctl.plan.plan import Launch, Plan, Slot

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


def softmax_pairs(plan: Plan) -> dict[int, list[Call]]:
    """The calls of each softmax and cost of the same numbers in one phase, by their numbers: one, the last one's."""
    softmaxes = {
        (launch.phase, i < plan.guarded, _place(launch.inputs[0])): i
        for i, launch in enumerate(plan.launches)
        if launch.op.name == "softmax"
    }
    found: dict[int, list[Call]] = {}
    for i, launch in enumerate(plan.launches):
        if launch.op.name != "softmax_log_likelihood" or _weighted(launch):
            continue
        z, labels = launch.inputs
        other = softmaxes.pop((launch.phase, i < plan.guarded, _place(z)), None)
        if other is not None:
            (a,), (cost,) = plan.launches[other].outputs, launch.outputs
            calls = by_rows(_FILE, "softmax_and_log_likelihood", z, [labels, a, cost])
            found |= {other: [], i: []} | {max(i, other): [replace(c, shares=((other, 1), (i, 1))) for c in calls]}
    return found


def _place(slot: Slot) -> tuple[object, ...]:
    """The memory of a slot and how it is seen."""
    return slot.place, slot.key, slot.offset, slot.shape


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
