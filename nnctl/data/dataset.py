"""A loaded data set: the splits, the statistics of the inputs, and a fingerprint of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field, fields, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.components.base import DataSource
from nnctl.components.signature import DataSignature
from nnctl.data.class_filter import ClassFilter
from nnctl.data.coverage import covered
from nnctl.data.division import divide
from nnctl.data.examples import Description, Examples
from nnctl.data.expand import expanded
from nnctl.data.soundness import require_sound
from nnctl.data.source import BALANCED, Source
from nnctl.data.splits import Sampler, subset
from nnctl.data.statistics import normalization
from nnctl.data.stored.arrays import LazyRows, Rows, chosen, equal, in_memory, pieces_of
from nnctl.data.streams import Purpose
from nnctl.data.weights import balancing, by_class, check_weights, require_counting, scaling
from nnctl.late import dataclass


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
    origin: a text that is equal for sets whose sources give the same examples in one order, whichever of them train;
        empty where they were divided apart from that.
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
    origin: str = ""

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
    divided = divided_examples(source, read_examples(source, folder, seed), seed)
    return replace(divided, origin=_origin(source, folder, seed))


def read_examples(source: Source, folder: Path, seed: int) -> Examples:
    """The examples of a source, before they are divided. Raises DataError where they are missing or broken."""
    examples = source.read(folder, seed)
    require_sound(source, folder, examples)
    return examples


def divided_examples(source: Source, examples: Examples, seed: int) -> Dataset:
    """The data set of examples that were read. seed: of the division. Raises DataError where they are too few."""
    divided = _divided(source, examples, seed)
    names, signature, unit = examples.description.classes, divided.signature, divided.description.unit
    splits, places, advice = dict(divided.splits), dict(divided.places), divided.advice
    if names is not None and not signature.reconstructs:
        counted = tuple(map(str, source.classes or source.counted(names) or ()))
        labels = {name: split.targets for name, split in splits.items()}
        advice = (*advice, *covered(labels, counted, source, examples.hints))
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
    (shift, scale), (target_shift, target_scale) = _statistics(splits["train"], divided, source)
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
        {**divided.fitted, **weights},
        advice,
        places,
    )


@dataclass(frozen=True)
class _Divided:
    """Examples in splits, their inputs fitted, labels by the class filter's numbers; see `Dataset`."""

    description: Description
    signature: DataSignature
    splits: Mapping[str, Split]
    places: Mapping[str, NDArray[np.int64]]
    fitted: Mapping[str, Any]
    advice: tuple[str, ...]


def _divided(source: Source, examples: Examples, seed: int) -> _Divided:
    """The examples that the class filter keeps, in splits. Raises DataError."""
    description, inputs, fitted, advice = examples.description, examples.inputs, examples.fitted, examples.advice
    if isinstance(inputs, np.ndarray | LazyRows):
        # What the fields ask of targets that are none of theirs, before classes are looked for.
        source.signature_of(description)
    classes = ClassFilter.of(source, description.classes)
    kept, targets = classes.kept(examples.targets, "the data")
    division = divide(source, classes.strata(targets), examples.hints.of_rows(kept), len(kept), seed)
    if not isinstance(inputs, np.ndarray | LazyRows):
        # Of what no split has, cells that would be refused are nobody's concern.
        used = division.used
        if len(used) < len(kept):
            kept, targets, division = kept[used], targets[used], division.among(used)
        if len(kept) < len(inputs):
            inputs = inputs.of(kept)
        made = inputs.fit(division.train)
        description, inputs, fitted = made.description, made.inputs, made.fitted
        advice = (*advice, *made.advice)
    signature = source.signature_of(description)
    if len(kept) < len(inputs):
        inputs = chosen(inputs, kept)
    weights = None
    if examples.weights is not None:
        weights = check_weights(examples.weights, len(examples.targets), "weights")[kept]
    parts = {"train": division.train, "validation": division.validation, "test": division.test}
    places = {name: kept[part] for name, part in parts.items()}
    splits = {n: _take(inputs, targets, weights, part) for n, part in parts.items() if n == "train" or len(part)}
    if (own := _own_test_split(source, examples, classes, seed)) is not None:
        splits["test"] = own
        del places["test"]
    return _Divided(description, signature, splits, places, fitted, advice)


def same_examples(one: Dataset, other: Dataset, split: str) -> bool:
    """True where a split of both holds the same examples in the same order.

    Inputs that are fitted to training rows are other numbers in each fold: there places among the source's tell.
    """
    a, b = one.splits[split], other.splits[split]
    if not equal(a.targets, b.targets):
        return False
    if one.origin and one.origin == other.origin and split in one.places and split in other.places:
        return np.array_equal(one.places[split], other.places[split])
    return equal(a.inputs, b.inputs)


def _origin(source: Source, folder: Path, seed: int) -> str:
    """See `Dataset`: all that examples are read by, and not what divides them."""
    dividing = {"fold", "subset", "augment"} | (set() if isinstance(source.validation, str) else {"validation"})
    said = [(f.name, getattr(source, f.name)) for f in fields(source) if f.name not in dividing]
    return repr((type(source), said, folder.resolve(), seed))


def _own_test_split(source: Source, examples: Examples, classes: ClassFilter, seed: int) -> Split | None:
    """The test set that comes with a source, or a part of it; None where there is none, or none is asked for."""
    if examples.test_inputs is None or examples.test_targets is None or "test" not in source.splits:
        return None
    kept, targets = classes.kept(examples.test_targets, "the test set")
    if (portion := source.portion("test")) is not None:
        sampler = Sampler(source.sampling, seed)
        drawn = subset(classes.strata(targets), len(targets), portion, sampler, Purpose.TEST_SUBSET)
        kept, targets = kept[drawn], targets[drawn]
    weights = None
    if examples.weights is not None:
        given = np.ones(len(examples.test_targets)) if examples.test_weights is None else examples.test_weights
        weights = check_weights(given, len(examples.test_targets), "test weights")[kept]
    return Split(chosen(examples.test_inputs, kept), targets, weights)


_Affine: TypeAlias = tuple[NDArray[np.float32], NDArray[np.float32]] | tuple[None, None]
"""(shift, scale), or nothing where numbers stay as they are."""


def _statistics(train: Split, divided: _Divided, source: Source) -> tuple[_Affine, _Affine]:
    """(shift, scale) of the inputs and of the targets, from the training set."""
    signature = divided.signature
    of_inputs: _Affine = (None, None)
    of_targets: _Affine = (None, None)
    if (shape := signature.statistics_shape) is not None:
        of_inputs = normalization(train.inputs, divided.description.scale, source.transforms, shape)
    if (shape := signature.target_statistics_shape) is not None:
        columns = train.targets.reshape(-1, signature.target_shape[-1])
        of_targets = normalization(columns, None, source.target_transforms, shape)
    return of_inputs, of_targets


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
