"""Classes of examples, row by row: softmax, the best class, ranks and weights of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.vectors.rows import best_columns, softmax_rows
from nnctl.plan.plan import Launch


@compiled
def softmax(z: Any, a: Any) -> None:
    """e^(z − max) / Σ, row by row."""
    softmax_rows(z.shape[0], z.shape[1], z, a)


@compiled
def argmax(x: Any, out: Any) -> None:
    """The first of the largest of each row; a NaN counts as largest, as in NumPy."""
    best_columns(x.shape[0], x.shape[1], x, out)


@compiled
def in_top_k(scores: Any, labels: Any, k: Any, out: Any) -> None:
    """1 where fewer than k scores are ahead of the label's; of equal scores the first is ahead."""
    for i in range(out.size):
        score = scores[i, labels[i]]
        ahead = 0
        for j in range(scores.shape[1]):
            if scores[i, j] > score or (scores[i, j] == score and j < labels[i]):
                ahead += 1
        out[i] = F(1.0) if ahead < k else F(0.0)


@compiled
def one_hot(labels: Any, out: Any) -> None:
    """1 at the label, 0 elsewhere."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = F(1.0) if labels[i] == k else F(0.0)


@compiled
def label_weight(labels: Any, weights: Any, out: Any) -> None:
    """The weight of each example's class."""
    for i in range(out.size):
        out[i] = weights[labels[i]]


@emits("softmax", calls=(softmax,), rows=True)
def _softmax(writer: Writer, launch: Launch) -> None:
    z, a = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    writer.line(f"softmax({writer.matrix(z, part)}, {writer.matrix(a, part)})")


@emits("argmax", calls=(argmax,), rows=True)
def _argmax(writer: Writer, launch: Launch) -> None:
    part = part_of(launch)
    writer.line(f"argmax({writer.matrix(launch.inputs[0], part)}, {writer.view(launch.outputs[0], part)})")


@emits("same", rows=True)
def _same(writer: Writer, launch: Launch) -> None:
    part = part_of(launch)
    a, b, out = (writer.view(s, part) for s in (*launch.inputs, launch.outputs[0]))
    with writer.block(f"for i in range({out}.size):"):
        writer.line(f"{out}[i] = F(1.0) if {a}[i] == {b}[i] else F(0.0)")


@emits("in_top_k", calls=(in_top_k,), rows=True)
def _in_top_k(writer: Writer, launch: Launch) -> None:
    scores, labels = launch.inputs
    part = part_of(launch)
    out = writer.view(launch.outputs[0], part)
    k = launch.attributes["k"]
    writer.line(f"in_top_k({writer.matrix(scores, part)}, {writer.view(labels, part)}, {k}, {out})")


@emits("one_hot", calls=(one_hot,), rows=True)
def _one_hot(writer: Writer, launch: Launch) -> None:
    labels, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    writer.line(f"one_hot({writer.view(labels, part)}, {writer.matrix(out, part)})")


def class_numbers(writer: Writer, weights: Sequence[float] | None, classes: int) -> str:
    """An array of the classes' weights, 1 each where there are none."""
    return writer.numbers([float(w) for w in weights] if weights is not None else [1.0] * classes)


@emits("label_weight", calls=(label_weight,), rows=True)
def _label_weight(writer: Writer, launch: Launch) -> None:
    labels, out = launch.inputs[0], launch.outputs[0]
    part = part_of(launch)
    weights = launch.attributes["weights"]
    numbers = class_numbers(writer, weights, len(weights))
    writer.line(f"label_weight({writer.view(labels, part)}, {numbers}, {writer.view(out, part)})")
