"""Trained nets measured on a split, alone and as an ensemble."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.data.dataset import Dataset, load_dataset, same_examples
from nnctl.errors import RunError, UsageError
from nnctl.inference.inputs import error_of
from nnctl.inference.judging import counted
from nnctl.inference.labelled import Labelled, labelled
from nnctl.inference.opened import TrainedRun
from nnctl.inference.test_time import mean_scores, usable
from nnctl.late import dataclass
from nnctl.training.splits import bind_whole

MOST_CONFUSED = 4096
"""Classes of which every pair is counted: 128 MiB."""


@dataclass(frozen=True)
class EvaluationResult:
    """The performance of a net, or of an ensemble, on a split.

    row: the columns of one line of output, in order.
    confusion: examples by (class, answer), (classes, classes); None without labels, and of more than `MOST_CONFUSED`.
    """

    row: dict[str, Any]
    confusion: NDArray[np.int64] | None = None


def evaluate(
    runs: Sequence[TrainedRun],
    split: str | None = None,
    *,
    data: Path | None = None,
    top_k: int | None = None,
    copies: int = 0,
) -> list[EvaluationResult]:
    """Each run's cost and metrics on a split; of several runs with labels also their vote and their mean.

    split: if None the test split, or where the runs have none validation. data: a file or folder of
    labelled examples instead; see `nnctl.inference.labelled`.
    The vote is the class that most runs answer, among equals the one with the
    largest sum of outputs; of a metric with a threshold each run says yes above that. The mean
    takes the largest mean output; for values it is measured by its mean squared error, too. Both
    have the first run's metrics, the vote those that hang on the answers alone. top_k adds the share of examples whose
    class is among the k largest outputs. copies: let each run answer by the mean of its
    outputs for an example and so many augmented copies, which has no cost of its own.
    Raises RunError, UsageError, DataError, also where a run has no finite answer to an example.
    """
    given = _splits(runs, split) if data is None else _others(runs, data)
    targets = given.measured[0].split.targets
    results, outputs = [], []
    for run, measured in zip(runs, given.measured):
        part = measured.split
        if copies:
            augmentations = usable(run.loaded.spec, str(run.folder.path))
            seed = run.loaded.spec.seed
            scores = mean_scores(run.scores, part, measured.unit, copies, augmentations, seed)
            values: dict[str, Any] = {"augment": copies, **run.judge(scores, targets)}
            if run.classes is None:
                values["mse"] = _mean_squared_error(scores, targets)
        else:
            bind_whole(run.engine.feed, given.name, part)
            values = {n: v if math.isfinite(v) else None for n, v in run.engine.evaluate(given.name).items()}
            scores = run.scores(part.inputs)
        run.require_finite(scores, part.inputs, measured.error)
        outputs.append(scores)
        row = {"run": str(run.folder.path), "checkpoint": run.checkpoint, "epoch": run.epoch, "step": run.step}
        row |= {**given.row, "examples": len(part), **values}
        results.append(_judged(row, scores, scores.argmax(1), targets, run.classes, top_k))
    if len(runs) > 1:
        results += _ensemble(outputs, targets, given.row, runs[0], top_k, tuple(results[0].row))
    return results


@dataclass(frozen=True)
class _Given:
    """The examples to measure: their name in the feed, their column in a row, and what each run makes of them."""

    name: str
    row: dict[str, Any]
    measured: Sequence[Labelled]


def _splits(runs: Sequence[TrainedRun], split: str | None) -> _Given:
    """A split of the runs' own data."""
    read: dict[tuple[str, Path, int], Dataset] = {}
    sets = [data_of(run, read) for run in runs]
    split = _chosen(split, sets)
    for run, other in zip(runs[1:], sets[1:]):
        if not same_examples(other, sets[0], split):
            raise RunError(
                f"{run.folder.path}: its {split} split is not that of {runs[0].folder.path}\n"
                "  evaluate them one by one; runs of different seeds split alike with --set data.seed=0"
            )
    name = f"the {split} split"
    measured = [
        Labelled(part, found.unit, error_of(part.inputs, [name] * len(part), range(len(part))))
        for found in sets
        for part in [found.splits[split]]
    ]
    return _Given(split, {"split": split}, measured)


def _others(runs: Sequence[TrainedRun], path: Path) -> _Given:
    """The labelled examples at a path."""
    measured = [labelled(run, path) for run in runs]
    for run in runs[1:]:
        if run.classes != runs[0].classes:
            raise RunError(f"{run.folder.path}: its classes are not those of {runs[0].folder.path}")
    return _Given("data", {"data": str(path)}, measured)


def _mean_squared_error(outputs: NDArray[np.float64], targets: NDArray[Any]) -> float:
    return float(np.mean((outputs.reshape(targets.shape) - targets) ** 2))


def _chosen(split: str | None, sets: Sequence[Dataset]) -> str:
    """The split to measure, which every set has. Raises UsageError."""
    common = [name for name in sets[0].splits if all(name in data.splits for data in sets)]
    if split is None:
        if found := next((name for name in ("test", "validation") if name in common), None):
            return found
        raise UsageError(
            "there is neither a test split nor validation: what nets reach on their training set says little\n"
            "  --split train measures it all the same"
        )
    if split not in common:
        raise UsageError(f"--split {split}: this data has no such split\n  it has {', '.join(common)}")
    return split


def data_of(run: TrainedRun, read: dict[tuple[str, Path, int], Dataset] | None = None) -> Dataset:
    """The run's data; `read` keeps what is read, for runs on the same data. Raises RunError, DataError."""
    read = {} if read is None else read
    spec, folder = run.loaded.spec, run.loaded.folder
    key = (repr(spec.data), folder, spec.seed)
    if key not in read:
        read[key] = load_dataset(spec.data, folder, spec.seed)
    data = read[key]
    if data.fingerprint != run.fingerprint:
        raise RunError(
            f"{run.folder.path}: the data is not what this run was trained on\n"
            "  its splits may hold examples that the net was trained with; nnctl predict takes any data"
        )
    return data


def _ensemble(
    outputs: Sequence[NDArray[np.float64]],
    targets: NDArray[Any],
    given: dict[str, Any],
    first: TrainedRun,
    top_k: int | None,
    columns: tuple[str, ...],
) -> list[EvaluationResult]:
    empty: dict[str, Any] = {**dict.fromkeys(columns), **given, "examples": len(targets)}
    if first.classes is None:
        # Of images one net may answer in rows and columns, another in one row.
        mean = np.mean([values.reshape(targets.shape) for values in outputs], axis=0)
        judged = first.judge(mean.reshape(outputs[0].shape), targets)
        return [EvaluationResult({**empty, "run": "mean", **judged, "mse": _mean_squared_error(mean, targets)})]
    mean, winner = np.mean(outputs, axis=0), vote(outputs)
    by_vote, by_mean = first.judge_vote(outputs, winner, targets), first.judge(mean, targets)
    return [
        _judged({**empty, "run": "vote", **by_vote}, None, winner, targets, first.classes, None),
        _judged({**empty, "run": "mean", **by_mean}, mean, mean.argmax(1), targets, first.classes, top_k),
    ]


def vote(outputs: Sequence[NDArray[np.float64]]) -> NDArray[np.int64]:
    """The class that most nets answer, (n,), from their outputs, each (n, classes).

    Where classes have equally many votes, the largest sum of outputs among them decides.
    """
    stacked = np.stack(outputs)
    votes = np.zeros(stacked.shape[1:], dtype=np.int64)
    np.add.at(votes, (np.arange(stacked.shape[1]), stacked.argmax(2)), 1)
    leading = votes == votes.max(axis=1, keepdims=True)
    winner: NDArray[np.int64] = np.where(leading, stacked.sum(0), -np.inf).argmax(1)
    return winner


def _judged(
    row: dict[str, Any],
    scores: NDArray[np.float64] | None,
    answers: NDArray[np.int64],
    targets: NDArray[Any],
    classes: tuple[str, ...] | None,
    top_k: int | None,
) -> EvaluationResult:
    """A row with what labels allow to say: accuracy, top-k, confusion."""
    if classes is None:
        if top_k is not None:
            raise UsageError("--top-k: this net predicts values, not classes")
        return EvaluationResult(row)
    answers, labels = counted(answers, targets)
    if top_k is not None:
        if not 1 <= top_k <= len(classes):
            raise UsageError(f"--top-k {top_k}: there are {len(classes)} classes")
        name = f"top_{top_k}"
        row[name] = None if scores is None else float(np.mean(in_top_k(*counted(scores, targets), top_k)))
    if len(classes) > MOST_CONFUSED:
        return EvaluationResult(row)
    confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(confusion, (labels, answers), 1)
    return EvaluationResult(row, confusion)


def in_top_k(scores: NDArray[np.float64], labels: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """True where fewer than k classes score above the label's, (n,); of equals the first class counts first."""
    own = scores[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(scores.shape[1])[None, :] < labels[:, None]
    before: NDArray[np.int64] = ((scores > own) | ((scores == own) & earlier)).sum(axis=1)
    return before < k
