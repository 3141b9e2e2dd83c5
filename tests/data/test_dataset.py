"""From a source to what training sees: filters, splits, statistics, and refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.data.examples import Description, Examples
from nnctl.data.source import Source
from nnctl.data.sources.digits import Digits
from nnctl.data.sources.generated import Blobs, Sine, Xor
from nnctl.data.summary import required_fields
from nnctl.data.transforms import MinMax, Standardize
from nnctl.errors import DataError

FOLDER = Path()
DIGITS_FINGERPRINT = "553c9e3c1b189a533eb27c6486fae116e0085dc6c112560cfa52f8b7e54d3d03"
SELF_CONTAINED = sorted(
    name for name, cls in components("data").items() if cls.fetch is Source.fetch and not required_fields(cls)
)


class Given(Source):
    """Arrays straight from a test."""

    type = "given"

    def __init__(self, inputs, targets, names=None, **fields):
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        shape = () if names is not None else targets.shape[1:]
        description = Description(inputs.shape[1:], classes=names, target_shape=shape)
        object.__setattr__(self, "examples", Examples(description, inputs, targets))

    def describe(self, folder):
        return self.examples.description

    def read(self, folder, seed):
        return self.examples


def column(*numbers):
    return np.array(numbers, dtype=np.float32)[:, None]


@pytest.mark.parametrize("name", SELF_CONTAINED)
def test_data_is_as_its_signature_says(name):
    source = components("data")[name]()
    dataset = load_dataset(source, FOLDER, 3)
    assert dataset.signature == source.signature(FOLDER)
    assert tuple(dataset.splits) == source.splits
    for split in dataset.splits.values():
        assert split.inputs.shape == (len(split), *dataset.signature.input_shape)
        assert split.targets.shape == (len(split), *dataset.signature.target_shape)
        stored = {"uint8": np.uint8, "index": np.int64, "real": np.float32}[dataset.signature.input_dtype]
        assert split.inputs.dtype == stored
        assert split.targets.dtype == (np.float32 if dataset.signature.classes is None else np.int64)
    again = load_dataset(source, FOLDER, 3)
    assert again.fingerprint == dataset.fingerprint
    assert sum(map(len, dataset.splits.values())) == source.describe(FOLDER).examples


def test_digits():
    dataset = load_dataset(Digits(), FOLDER, 0)
    assert [len(split) for split in dataset.splits.values()] == [1257, 270, 270]
    assert dataset.train.inputs.max() == 16
    assert dataset.shift == 0.0
    assert dataset.scale == np.float32(1 / 16)
    assert dataset.fingerprint == DIGITS_FINGERPRINT


def test_class_filter_renumbers_in_the_order_given():
    whole = load_dataset(Digits(validation=None, test=None), FOLDER, 0).train
    some = load_dataset(Digits(validation=None, test=None, classes=("8", 3)), FOLDER, 0)
    assert some.signature.classes == ("8", "3")
    kept = np.isin(whole.targets, [3, 8])
    assert np.array_equal(some.train.inputs, whole.inputs[kept])
    assert np.array_equal(some.train.targets, np.where(whole.targets[kept] == 8, 0, 1))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ((1, "ten"), "there is no class 'ten' in the data\n  the classes are 0, 1"),
        ((1, 1), "'1' is listed twice"),
    ],
)
def test_bad_class_filter(classes, message):
    with pytest.raises(DataError, match=message):
        Digits(classes=classes).signature(FOLDER)


def test_class_filter_that_leaves_nothing():
    source = Given(column(1, 2), np.array([0, 0]), ("a", "b", "c"), classes=("b", "c"))
    with pytest.raises(DataError, match="classes: b, c leave no example of the data"):
        load_dataset(source, FOLDER, 0)


def test_class_filter_on_values():
    with pytest.raises(DataError, match="the targets of this sine data are values"):
        Sine(classes=(1,)).signature(FOLDER)


def test_labels_as_values():
    two = load_dataset(Xor(target_type="values"), FOLDER, 0)
    assert two.signature.classes is None
    assert two.train.targets.tolist() == [[0], [1], [1], [0]]
    three = load_dataset(Blobs(examples=3, target_type="values"), FOLDER, 0)
    assert three.train.targets.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert three.signature.target_shape == (3,)


def test_values_are_no_labels():
    with pytest.raises(DataError, match="target_type: labels is impossible"):
        Sine(target_type="labels").signature(FOLDER)


def test_subset_is_of_the_training_set_and_stratified():
    whole = load_dataset(Digits(), FOLDER, 0)
    some = load_dataset(Digits(subset=100), FOLDER, 0)
    assert len(some.train) == 100
    assert np.all(np.abs(np.bincount(some.train.targets) - 10) <= 1)
    assert np.array_equal(some.test.inputs, whole.test.inputs)
    assert some.fingerprint != whole.fingerprint


def test_a_source_s_own_seed_goes_before_the_spec_s():
    assert load_dataset(Blobs(seed=1), FOLDER, 2).fingerprint == load_dataset(Blobs(seed=1), FOLDER, 3).fingerprint
    assert load_dataset(Blobs(), FOLDER, 2).fingerprint != load_dataset(Blobs(), FOLDER, 3).fingerprint


def test_one_example_is_enough():
    dataset = load_dataset(Given(column(5), column(1), transforms=(Standardize(),)), FOLDER, 0)
    assert len(dataset.train) == 1
    assert (dataset.shift, dataset.scale) == (5.0, 1.0)


@pytest.mark.parametrize(
    ("inputs", "targets", "classes", "message"),
    [
        (column(), column(), None, "given: the data holds no examples"),
        (column(1, 2), column(1), None, "given: 2 inputs, but 1 targets"),
        (column(1, np.nan), column(1, 2), None, r"given: input 1 \(counted from 0\) is nan at position 0"),
        (column(1, 2), column(1, np.inf), None, r"target 1 \(counted from 0\) is inf"),
        (column(1, 2), np.array([0, 2]), ("a", "b"), "example 1 .* has label 2, and there are 2 classes"),
        (column(1, 2), np.array([-1, 0]), ("a", "b"), "example 0 .* has label -1"),
    ],
)
def test_broken_data(inputs, targets, classes, message):
    with pytest.raises(DataError, match=message):
        load_dataset(Given(inputs, targets, classes), FOLDER, 0)


def test_indices_are_not_rescaled():
    source = Xor(transforms=(Standardize(),))
    description = replace(source.describe(FOLDER), input_dtype="index")
    with pytest.raises(DataError, match="the inputs of this xor data are indices"):
        source.signature_of(description)


def normalized(dataset, split="train"):
    return (dataset.splits[split].inputs - dataset.shift) * dataset.scale


def test_standardize_uses_the_training_set_alone():
    dataset = load_dataset(Digits(transforms=(Standardize(),)), FOLDER, 0)
    x = normalized(dataset)
    varying = np.ptp(dataset.train.inputs, axis=0) > 0
    assert not varying.all()
    assert np.abs(x.mean(axis=0)).max() < 1e-5
    assert np.allclose(x.std(axis=0), varying, atol=1e-5)
    assert abs(normalized(dataset, "validation").mean()) > 1e-4
    # A pixel that never varies keeps the source's own scale.
    assert np.all(dataset.scale[~varying] == np.float32(1 / 16))


@pytest.mark.parametrize("per", ["feature", "dataset"])
def test_min_max(per):
    dataset = load_dataset(Blobs(transforms=(MinMax(per=per, low=-1.0, high=3.0),)), FOLDER, 0)
    assert dataset.signature.statistics_shape == ((2,) if per == "feature" else ())
    x = normalized(dataset)
    axis = 0 if per == "feature" else None
    assert np.allclose(x.min(axis=axis), -1, atol=1e-5)
    assert np.allclose(x.max(axis=axis), 3, atol=1e-5)


def test_transforms_compose_to_one_map():
    transforms = (Standardize(), MinMax(per="dataset"), Standardize(per="dataset"))
    dataset = load_dataset(Blobs(transforms=transforms), FOLDER, 0)
    x = dataset.train.inputs.astype(np.float64)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    x = (x - x.min()) / (x.max() - x.min())
    x = (x - x.mean()) / x.std()
    assert np.allclose(normalized(dataset), x, atol=1e-5)


def test_constant_feature_becomes_low():
    dataset = load_dataset(Given(column(7, 7), column(0, 1), transforms=(MinMax(low=0.25),)), FOLDER, 0)
    assert normalized(dataset).tolist() == [[0.25], [0.25]]


def test_min_max_bounds_in_order():
    (problem,) = MinMax(low=1.0, high=1.0).problems()
    assert (problem.field, problem.hint) == ("low", "low must be below high")


def test_statistics_in_chunks_equal_those_at_once(monkeypatch):
    from nnctl.data import statistics

    x = np.random.default_rng(0).normal(1e6, 1.0, (1000, 3))
    monkeypatch.setattr(statistics, "_CHUNK_ELEMENTS", 10)
    measured = statistics.measure(x)
    assert np.allclose(measured.mean, x.mean(axis=0), rtol=1e-12)
    assert np.allclose(measured.std, x.std(axis=0), rtol=1e-9)
    assert np.allclose(measured.pooled().std, x.std(), rtol=1e-9)
