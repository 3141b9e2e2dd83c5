"""Data sources as a spec says them."""

from __future__ import annotations

import pytest

from nnctl.data.dataset import load_dataset
from nnctl.data.sources.csv import Csv
from nnctl.data.sources.mnist import Mnist
from nnctl.data.transforms import MinMax, Standardize
from nnctl.errors import SpecError
from nnctl.spec.load import load_text

REST = "\nlayers: [flatten, {type: dense, units: 10, activation: softmax}]\ncost: log_likelihood\n"


def source(text):
    return load_text(f"data: {text}{REST}").spec.data


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist", Mnist()),
        ("{type: mnist, validation: 10000, subset: 0.1}", Mnist(validation=10_000, subset=0.1)),
        ("{type: mnist, validation: 0, classes: [0, '1']}", Mnist(validation=0, classes=(0, "1"))),
        ("{type: csv, path: a.csv, target: -1}", Csv(path="a.csv", target=-1)),
        ("{type: csv, path: a.csv, target: [a, b]}", Csv(path="a.csv", target=("a", "b"))),
        (
            "{type: mnist, transforms: [standardize, {type: min_max, per: dataset}]}",
            Mnist(transforms=(Standardize(), MinMax(per="dataset"))),
        ),
    ],
)
def test_spec_to_source(text, expected):
    assert source(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{type: digits, validation: 1.5}", "cannot be 1.5"),
        ("{type: digits, validation: -1}", "cannot be -1"),
        ("{type: digits, classes: []}", "cannot be an empty list"),
        ("{type: digits, split: stratfied}", "did you mean 'stratified'"),
        ("{type: digits, transforms: [{type: min_max, low: 2}]}", "low must be below high"),
        ("{type: csv, target: y}", "path"),
        ("{type: csv, path: a, target: y, delimiter: ', '}", "delimiter"),
        ("{type: images, path: a, size: [3]}", "size"),
        ("mnits", "did you mean 'mnist'"),
    ],
)
def test_broken_spec(text, message):
    with pytest.raises(SpecError) as caught:
        source(text)
    assert message in str(caught.value)


def test_paths_are_relative_to_the_spec(tmp_path):
    (tmp_path / "a.csv").write_text("1,2,0.5\n3,4,1.5\n")
    text = f"data: {{type: csv, path: a.csv, target: 2}}{REST}"
    loaded = load_text(text.replace("softmax", "linear").replace("log_likelihood", "mse"), folder=tmp_path)
    assert len(load_dataset(loaded.spec.data, loaded.folder, loaded.spec.seed).train) == 2
