"""A model run in onnxruntime on rows of the run's data, and held against the net's own answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nnctl.backends.registry import reference_name
from nnctl.errors import ExchangeFailed
from nnctl.exchange.onnx.columns import fed
from nnctl.exchange.onnx.model import INPUT, NEW, PROBABILITIES, VALUES, Exportable, at_length, zero_states
from nnctl.exchange.raw import RawInputs
from nnctl.exchange.rows import RealRows, real_rows
from nnctl.graph import interface
from nnctl.graph.evaluate import evaluate
from nnctl.graph.network import Network
from nnctl.inference.opened import SavedRun
from nnctl.late import dataclass

BATCHES = (1, 7, 64)
TOLERANCE = 1e-5
"""The largest difference of answers, in units of the largest answer."""
_ROUNDING = 4.0
"""The largest difference where a net is sensitive, in units of that which float32 makes to the net's own answers."""


@dataclass
class Comparison:
    """Two ways to compute the same numbers, onnxruntime's and ours.

    difference: the largest. scale: the largest number. rounding: of the net's own answers in float32 the largest
    difference from those in float64; computed where the two ways are not close.
    """

    difference: float = 0.0
    scale: float = 0.0
    rounding: float = 0.0

    def add(self, theirs: NDArray[Any], own: NDArray[Any]) -> None:
        """Count in the answers of another batch."""
        self.difference = max(self.difference, _apart(theirs, own))
        self.scale = max(self.scale, float(np.abs(own).max(initial=0.0)))

    @property
    def close(self) -> bool:
        """True where they agree within the tolerance."""
        return math.isfinite(self.difference) and self.difference <= TOLERANCE * self.scale

    @property
    def accounted_for(self) -> bool:
        """True where the net is so sensitive that rounding to float32 is all that the difference shows."""
        return math.isfinite(self.difference) and self.difference <= _ROUNDING * self.rounding


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    """The largest distance of two arrays; infinite where one holds what is no number."""
    with np.errstate(invalid="ignore"):
        found = float(np.abs(one.astype(np.float64) - other).max(initial=0.0))
    return math.inf if math.isnan(found) else found


def check(exportable: Exportable, saved: SavedRun, raw: RawInputs | None) -> tuple[str, Comparison]:
    """Compare on rows of the run's data: the split they are of, and of the outputs the one that differs most.

    raw: what the model makes its inputs of.

    Raises ExchangeFailed where one is off, RunError, and DataError where the data is not there.
    """
    rows = real_rows(saved, max(BATCHES), raw)
    compared = compare(exportable, saved, rows.inputs, _fed(exportable, saved, raw, rows))
    for name, found in compared.items():
        if not (found.close or found.accounted_for):
            raise ExchangeFailed(
                f"in onnxruntime the net answers otherwise: {name} by up to {found.difference:.3g}, where the largest "
                f"is {found.scale:.3g}\n  allowed are {TOLERANCE:g} of it; no file was written"
            )
    return rows.split, max(compared.values(), key=lambda found: found.difference / max(found.scale, 1e-30))


def _fed(exportable: Exportable, saved: SavedRun, raw: RawInputs | None, rows: RealRows) -> dict[str, NDArray[Any]]:
    if raw is None or exportable.entrance is None or rows.raw is None:
        return {INPUT: _typed(rows.inputs, saved)}
    return fed(raw, exportable.entrance, rows.raw)


def compare(
    exportable: Exportable, saved: SavedRun, rows: NDArray[Any], given: Mapping[str, NDArray[Any]]
) -> dict[str, Comparison]:
    """Each output of the model on the first rows, in batches of several sizes, the last of all rows.

    rows: as they enter the net. given: the same as the model takes them, by its inputs.

    Where the model takes sequences of any length, also on a batch of longer ones; where it takes states, also in a
    second call, which goes on from the first.
    """
    session = _session(exportable)
    outputs = [output.name for output in session.get_outputs()]
    ours = _Ours(saved)
    compared = {name: Comparison() for name in outputs}

    def hold(
        batch: int, states: Mapping[str, NDArray[Any]], of: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray
    ) -> dict[str, NDArray[Any]]:
        """The net's own answers to a call, to which onnxruntime's have been compared. of: what is made of the rows."""
        own = ours.answers(of(rows[:batch]), states)
        answers = session.run(outputs, {**{name: of(array[:batch]) for name, array in given.items()}, **states})
        for name, theirs in zip(outputs, answers, strict=True):
            if theirs.shape != own[name].shape:
                raise ExchangeFailed(f"in onnxruntime {name} has shape {theirs.shape}, and here {own[name].shape}")
            compared[name].add(theirs, own[name])
        return own

    if exportable.steps:
        hold(BATCHES[1], zero_states(exportable, BATCHES[1]), _longer)
    for batch in BATCHES:
        states = zero_states(exportable, batch)
        own = hold(batch, states)
        if states:
            hold(batch, {name: own[name + NEW] for name in states})
    if not all(found.close for found in compared.values()):
        double = ours.computed(rows, states, np.float64)
        for name, found in compared.items():
            found.rounding = _apart(own[name], double[name])
    return compared


def _longer(rows: NDArray[Any]) -> NDArray[Any]:
    """The sequences, and before each its first step a few times more: behind its end there may be none."""
    return np.concatenate([rows[:, [0] * 5], rows], axis=1)


def _typed(inputs: NDArray[Any], saved: SavedRun) -> NDArray[Any]:
    kinds: Any = {"uint8": np.uint8, "index": np.int64, "real": np.float32}
    return np.ascontiguousarray(inputs, kinds[saved.signature.input_dtype])


def _session(exportable: Exportable) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    content = exportable.model.SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


class _Ours:
    """The net's own answers."""

    def __init__(self, saved: SavedRun) -> None:
        self.saved = saved
        self.run = saved.start(reference_name())

    def answers(self, inputs: NDArray[Any], states: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answers in float32 and new states, by their names in the model; `predict`'s where it can give them."""
        signature = self.saved.signature
        if states or inputs.shape[1:] != signature.input_shape:
            return self.computed(inputs, states, np.float32)
        scores = self.run.scores(inputs)
        if signature.classes is None:
            return {VALUES: scores}
        return {PROBABILITIES: scores.reshape(len(inputs), *signature.target_shape, -1)}

    def computed(
        self, inputs: NDArray[Any], states: Mapping[str, NDArray[Any]], precision: DTypeLike
    ) -> dict[str, NDArray[Any]]:
        """The same by the reference bodies of the ops, for sequences of any length, in a precision."""
        spec, signature = self.saved.loaded.spec, self.saved.signature
        if inputs.shape[1:] != signature.input_shape:
            signature = at_length(signature, inputs.shape[1])
        graph = Network(spec, signature).unfused_prediction
        given = {
            **self.saved.saved.tensors,
            **states,
            interface.INPUTS: inputs,
            interface.INDEX: np.arange(len(inputs)),
        }
        sizes = interface.sizes(len(inputs), len(inputs))
        computed = {found.value: found.array for found in evaluate(graph, given, sizes, precision)}
        answer = computed[graph.outputs[interface.OUTPUT]]
        new = {old.name + NEW: computed[value] for old, value in graph.updates.items()}
        if signature.classes is None:
            return {VALUES: answer, **new}
        if answer.shape[-1] == 1 and len(signature.classes) == 2:
            answer = np.concatenate([2 * spec.cost.threshold - answer, answer], axis=-1)
        return {PROBABILITIES: answer, **new}
