"""A loaded data set: the splits, the statistics of the inputs, and a fingerprint of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import DataSource
from nnctl.components.signature import DataSignature
from nnctl.data.coverage import covered
from nnctl.data.division import divide
from nnctl.data.examples import Examples, UnfittedInputs
from nnctl.data.expand import expanded
from nnctl.data.source import BALANCED, Source, select_classes
from nnctl.data.splits import Sampler, subset
from nnctl.data.statistics import normalization
from nnctl.data.stored.arrays import LazyRows, Rows, chosen, in_memory, pieces_of
from nnctl.data.streams import Purpose
from nnctl.data.weights import balancing, by_class, check_weights, require_counting, scaling
from nnctl.errors import DataError

_GONE = -2
"""The label of an example that the class filter leaves no place for."""


@dataclass(frozen=True)
class Split:
    """The examples of a split.

    inputs: (n, *input_shape) uint8, float32 or int64, as stored, in memory or on disk; targets: labels (n, …) int64,
    −1 for one that is left out, or values float32; weights: (n, *weights_shape) float32, None where all count alike.
    """

    inputs: Rows
    targets: NDArray[Any]
    weights: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Dataset:
    """A data set as training reads it.

    shift, scale: float32 of `signature.statistics_shape`, to be applied to each batch
        as x ← (x − shift)·scale; None where the inputs enter as they are. They come from `train`.
    fingerprint: SHA-256 over the signature and every split, in hexadecimal; a run resumes on equal data only.
    target_shift, target_scale: float32 of `signature.target_statistics_shape`, for the cost's targets alike;
        the splits hold targets as they are.
    unit: brings stored inputs to the range in which augmentations work, for bytes from 0 to 1.
    fitted: what the training examples taught, as plain data: inputs to come are made by it.
    doubts: the source's, a sentence each.
    places: of each example of a split its index among the source's; not of a training set with copies, nor of a test
        set that the source has apart.
    """

    signature: DataSignature
    train: Split
    validation: Split | None
    test: Split | None
    shift: NDArray[np.float32] | None
    scale: NDArray[np.float32] | None
    fingerprint: str
    unit: float = 1.0
    target_shift: NDArray[np.float32] | None = None
    target_scale: NDArray[np.float32] | None = None
    fitted: Mapping[str, Any] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    places: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)

    @property
    def statistics(self) -> dict[str, NDArray[np.float32]]:
        """The statistics that the net keeps, by the fields above."""
        named = {name: getattr(self, name) for name in ("shift", "scale", "target_shift", "target_scale")}
        return {name: array for name, array in named.items() if array is not None}

    @property
    def splits(self) -> dict[str, Split]:
        """The splits that exist, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def advice(self) -> tuple[str, ...]:
        """A sentence for each doubt about what the net is given."""
        inputs = self.train.inputs
        if inputs.dtype != np.uint8 or self.scale is not None:
            return self.doubts
        if (largest := max(int(piece.max()) for piece in pieces_of(inputs))) <= 1:
            return self.doubts
        return (
            *self.doubts,
            f"the inputs are bytes and enter the net as they are, up to {largest}: nets start best on numbers "
            "around 1; write transforms: [min_max] or [standardize] under data",
        )


def load_dataset(source: DataSource, folder: Path, seed: int) -> Dataset:
    """The data set of a source: its examples read, filtered, split and measured.

    folder: the base of the source's paths, the spec's folder. seed: the spec's,
    used where the source has none. The same arguments and files give the same bytes.
    Raises DataError where the data is missing, broken, or too small for its splits.
    """
    if not isinstance(source, Source):
        raise TypeError(f"{type(source).__name__} is no nnctl.data.source.Source")
    seed = seed if source.seed is None else source.seed
    examples = source.read(folder, seed)
    _check(source, examples)

    if isinstance(examples.inputs, np.ndarray | LazyRows):
        # What the fields ask of targets that are none of theirs, before classes are looked for.
        source.signature_of(examples.description)
    names = examples.description.classes
    renumber = _renumbering(names, source)
    kept, targets = _filtered(examples.targets, renumber, source, "the data")
    labels = _strata(targets, source) if names is not None and targets.ndim == 1 else None
    division = divide(source, labels, examples.hints.of_rows(kept), len(kept), seed)
    description, inputs, advice = examples.description, examples.inputs, examples.advice
    fitted = dict(examples.fitted)
    if not isinstance(inputs, np.ndarray | LazyRows):
        # Of what no split has, cells that would be refused are nobody's concern.
        used = division.used
        if len(used) < len(kept):
            kept, targets, division = kept[used], targets[used], division.among(used)
        if len(kept) < len(inputs):
            inputs = inputs.of(kept)
        made = inputs.fit(division.train)
        description, inputs, fitted = made.description, made.inputs, dict(made.fitted)
        advice = (*advice, *made.advice)
    signature = source.signature_of(description)
    if len(kept) < len(inputs):
        inputs = chosen(inputs, kept)
    rows = None if examples.weights is None else check_weights(examples.weights, len(examples.targets), "weights")[kept]
    places = {"train": kept[division.train], "validation": kept[division.validation], "test": kept[division.test]}
    splits = {"train": _take(inputs, targets, rows, division.train)}
    for name, indices in (("validation", division.validation), ("test", division.test)):
        if len(indices):
            splits[name] = _take(inputs, targets, rows, indices)
    if examples.test_inputs is not None and examples.test_targets is not None and "test" in source.splits:
        kept, targets = _filtered(examples.test_targets, renumber, source, "the test set")
        if (portion := source.portion("test")) is not None:
            part = _strata(targets, source) if labels is not None else None
            drawn = subset(part, len(targets), portion, Sampler(source.sampling, seed), Purpose.TEST_SUBSET)
            kept, targets = kept[drawn], targets[drawn]
        given = np.ones(len(examples.test_targets)) if examples.test_weights is None else examples.test_weights
        rows = None if rows is None else check_weights(given, len(examples.test_targets), "test weights")[kept]
        splits["test"] = Split(chosen(examples.test_inputs, kept), targets, rows)
        del places["test"]
    if names is not None and not signature.reconstructs:
        counted = tuple(map(str, source.classes or source.counted(names) or ()))
        labels_of = {name: split.targets for name, split in splits.items()}
        advice = (*advice, *covered(labels_of, counted, source, examples.hints))
    unit = description.unit
    if source.expand:
        train = in_memory(splits["train"].inputs, "data.expand: the training set")
        splits["train"] = _expanded(train, splits["train"], source, unit, seed)
        del places["train"]
    for name, split in splits.items():
        require_counting(split.targets, split.weights, source.ignored, name)
    splits, weights = _weighed(splits, source, signature)
    if names is not None and signature.classes is None and not signature.reconstructs:
        width = signature.target_shape[0]
        splits = {name: replace(s, targets=_as_values(s.targets, width)) for name, s in splits.items()}

    shift = scale = None
    if signature.statistics_shape is not None:
        shift, scale = normalization(
            splits["train"].inputs, description.scale, source.transforms, signature.statistics_shape
        )
    target_shift = target_scale = None
    if signature.target_statistics_shape is not None:
        columns = splits["train"].targets.reshape(-1, signature.target_shape[-1])
        target_shift, target_scale = normalization(
            columns, None, source.target_transforms, signature.target_statistics_shape
        )
    if signature.reconstructs:
        splits = {name: replace(s, targets=_rescaled(s.inputs, shift, scale)) for name, s in splits.items()}
    return Dataset(
        signature,
        splits["train"],
        splits.get("validation"),
        splits.get("test"),
        shift,
        scale,
        _fingerprint(signature, splits),
        unit,
        target_shift,
        target_scale,
        fitted | weights,
        advice,
        places,
    )


def _renumbering(names: tuple[str, ...] | None, source: Source) -> NDArray[np.int64] | None:
    """New labels, one a class: −1 for the one that is left out, −2 for a class that goes; None where all stay."""
    counted = source.counted(names)
    if names is None or counted is None or (source.classes is None and counted == names):
        return None
    renumber = np.full(len(names), _GONE, dtype=np.int64)
    place = {name: index for index, name in enumerate(names)}
    for new, name in enumerate(select_classes(counted, source.classes)):
        renumber[place[name]] = new
    if len(counted) < len(names):
        renumber[place[str(source.ignored)]] = -1
    return renumber


def _strata(labels: NDArray[np.int64], source: Source) -> NDArray[np.int64]:
    """Groups from 0 that are divided in proportion: the classes, and behind them what is left out."""
    return labels if source.ignored is None else np.where(labels < 0, labels.max() + 1, labels)


def _filtered(
    targets: NDArray[Any], renumber: NDArray[np.int64] | None, source: Source, what: str
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """(indices of the examples that the class filter keeps, their targets)."""
    if renumber is None:
        return np.arange(len(targets), dtype=np.int64), targets
    labels = renumber[targets]
    kept = np.flatnonzero((labels != _GONE).reshape(len(labels), -1).all(axis=1))
    if not len(kept):
        raise DataError(f"{', '.join(map(str, source.classes or ()))} leave no example of {what}", "classes")
    return kept, labels[kept]


def _take(
    inputs: Rows, targets: NDArray[Any], weights: NDArray[np.float64] | None, indices: NDArray[np.int64]
) -> Split:
    of_rows = None if weights is None else chosen(weights, indices)
    return Split(chosen(inputs, indices), chosen(targets, indices), of_rows)


def _expanded(inputs: NDArray[Any], train: Split, source: Source, unit: float, seed: int) -> Split:
    """The training set with its copies, each of the weight of the example that its targets are of."""
    if train.weights is None:
        return Split(*expanded(inputs, train.targets, source.expand, unit, seed))
    more, of = expanded(inputs, np.arange(len(train), dtype=np.int64), source.expand, unit, seed)
    return Split(more, train.targets[of], train.weights[of])


def _weighed(
    splits: dict[str, Split], source: Source, signature: DataSignature
) -> tuple[dict[str, Split], dict[str, Any]]:
    """(the splits with weights whose mean over the training set is 1, what weighs examples to come). Raises DataError.

    The latter is `of_class`, (classes,), or `factor`, of weights that the data says; nothing where there are none.
    """
    train = splits["train"]
    if source.weights == BALANCED:
        of_class = balancing(train.targets, signature.classes or ())
        weighed = {name: replace(s, weights=by_class(of_class, s.targets)) for name, s in splits.items()}
        return weighed, {"of_class": of_class.tolist()}
    if train.weights is None:
        return splits, {}
    factor = scaling(train.weights, train.targets, signature.ignores)
    scaled = {name: (np.asarray(s.weights) * factor).astype(np.float32) for name, s in splits.items()}
    return {name: replace(s, weights=scaled[name]) for name, s in splits.items()}, {"factor": float(factor)}


def _as_values(labels: NDArray[np.int64], width: int) -> NDArray[np.float32]:
    """Labels as numbers: one column of 0 and 1 for width 1, else one-hot rows; (n, width)."""
    if width == 1:
        return labels.astype(np.float32)[:, None]
    rows = np.zeros((len(labels), width), dtype=np.float32)
    rows[np.arange(len(labels)), labels] = 1.0
    return rows


def _rescaled(inputs: Rows, shift: Any, scale: Any) -> NDArray[np.float32]:
    """The inputs as they enter the net."""
    values = in_memory(inputs, "data.reconstruct: the data set").astype(np.float32)
    if shift is not None:
        values -= shift
        values *= scale
    return values


def _check(source: Source, examples: Examples) -> None:
    """Refuse what no net could be trained on. Raises DataError."""
    description = examples.description
    parts: list[tuple[str, Rows | UnfittedInputs, NDArray[Any]]] = [("", examples.inputs, examples.targets)]
    if examples.test_inputs is not None and examples.test_targets is not None:
        parts.append(("test ", examples.test_inputs, examples.test_targets))
    for part, inputs, targets in parts:
        if len(inputs) != len(targets):
            raise DataError(f"{source.type}: {len(inputs):,} {part}inputs, but {len(targets):,} {part}targets")
        if not len(inputs):
            raise DataError(f"{source.type}: the {part}data holds no examples")
        if isinstance(inputs, np.ndarray | LazyRows):
            _check_finite(source, inputs, f"{part}input")
        if description.classes is None:
            _check_finite(source, targets, f"{part}target")
            continue
        wrong = np.argwhere((targets < 0) | (targets >= len(description.classes)))
        if len(wrong):
            raise DataError(
                f"{source.type}: {part}example {wrong[0][0]} (counted from 0) has label {targets[tuple(wrong[0])]}, "
                f"and there are {len(description.classes)} classes, numbered from 0"
            )


def _check_finite(source: Source, values: Rows, what: str) -> None:
    if values.dtype.kind != "f":
        return
    start = 0
    for piece in pieces_of(values):
        finite = np.isfinite(piece)
        if finite.all():
            start += len(piece)
            continue
        index = np.argwhere(~finite)[0]
        place = f" at position {', '.join(map(str, index[1:]))}" if len(index) > 1 else ""
        value = piece[tuple(index)]
        raise DataError(
            f"{source.type}: {what} {start + index[0]} (counted from 0) is {value}{place}\n"
            "  remove the example, or fill the gap, before training"
        )


def _fingerprint(signature: DataSignature, splits: dict[str, Split]) -> str:
    # Of the signature what is not the default, so that a new field leaves the runs of older versions valid.
    said = [(f.name, value) for f in fields(signature) if (value := getattr(signature, f.name)) != f.default]
    digest = hashlib.sha256(repr(said).encode())
    for name, split in splits.items():
        for array in (split.inputs, split.targets, *(() if split.weights is None else (split.weights,))):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            for piece in pieces_of(array):
                digest.update(np.ascontiguousarray(piece).data)
    return digest.hexdigest()
