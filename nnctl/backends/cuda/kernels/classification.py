"""Classes of examples, row by row: softmax, the best class, ranks and weights of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nnctl.backends.cuda.calls import (
    ACROSS_BLOCK,
    THREADS,
    Argument,
    Call,
    Table,
    blocks_for,
    elements,
    emits,
    threads_a_row,
)
from nnctl.backends.cuda.codegen.functions import function
from nnctl.plan.plan import Launch, Slot

_FILE = "classification.cu"
_PAIRS = 2 * 4 * THREADS
"""Bytes of shared memory for a value and its place a thread."""


def by_rows(
    file: str, name: str, matrix: Slot, others: Sequence[Slot | Table], more: Sequence[int | float] = (),
    shared: int = ACROSS_BLOCK,
) -> list[Call]:  # fmt: skip
    """One call in which some threads share each row of a matrix, its last axis; rows without elements have none."""
    columns = matrix.shape[-1]
    rows, threads = math.prod(matrix.shape[:-1]), threads_a_row(columns)
    arguments: tuple[Argument, ...] = (matrix, *others, rows, columns, threads, *more)
    return [Call(function(file, name), blocks_for(rows, THREADS // threads), arguments, shared=shared)]


@emits("softmax")
def _softmax(launch: Launch) -> list[Call]:
    return by_rows(_FILE, "softmax", launch.inputs[0], launch.outputs)


@emits("argmax")
def _argmax(launch: Launch) -> list[Call]:
    return by_rows(_FILE, "argmax", launch.inputs[0], launch.outputs, shared=_PAIRS)


@emits("in_top_k")
def _in_top_k(launch: Launch) -> list[Call]:
    scores, labels = launch.inputs
    return by_rows(_FILE, "in_top_k", scores, [labels, *launch.outputs], [launch.attributes["k"]])


@emits("same")
def _same(launch: Launch) -> list[Call]:
    count = elements(launch.outputs[0])
    return [Call(function(_FILE, "same"), blocks_for(count), (*launch.inputs, *launch.outputs, count))]


@emits("label_weight")
def _label_weight(launch: Launch) -> list[Call]:
    (labels,), (out,) = launch.inputs, launch.outputs
    weights, count = Table(tuple(launch.attributes["weights"])), elements(out)
    return [Call(function(_FILE, "label_weight"), blocks_for(count), (labels, weights, out, count))]
