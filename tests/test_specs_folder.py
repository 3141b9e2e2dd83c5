"""The specs of the repository: all of them train and are exported, and together they show every kind of component."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.components.registry import Component, components, kinds
from nnctl.exchange.export import export
from nnctl.exchange.formats import Options
from nnctl.spec.load import load_spec
from nnctl.training import session
from nnctl.training.events import Finished

FOLDER = Path(__file__).parents[1] / "specs"
SPECS = sorted(FOLDER.glob("*.yaml"))
BOOK = sorted((FOLDER / "book").glob("*.yaml"))
ON_MNIST = [*BOOK, *sorted((FOLDER / "mnist").glob("*.yaml"))]
MNIST = FOLDER.parents[1] / "shared" / "data" / "mnist"

ELSEWHERE = {
    "data": {"mnist", "shakespeare"},  # a download; sub-folders show them
    "metric": {"accuracy"},  # comes with labels
    "activation": {"step"},  # has no gradient to train through
    "initializer": {"reservoir"},  # the layer echo_state begins with it
    "distribution": set(components("distribution")),
    "sampler": set(components("sampler")),
    "pruner": set(components("pruner")),
    "backend": set(components("backend")),
}
"""Components that no spec of the folder needs to show, by kind."""
ENOUGH = {"activation": 13, "initializer": 15, "schedule": 9, "cost": 7}
"""Of these kinds so many are shown; the others are shown whole."""


SENSITIVE = {"echo-state", "mackey-glass"}
"""Specs of nets whose answers, sums of large numbers of both signs, float32 itself moves by more than 1e-5."""


def exported(run: Path) -> Sequence[str]:
    """Notes on the run as an ONNX model, which onnxruntime has run on its data in batches of 1, 7 and 64."""
    made = export(run, run.parent / "model.onnx", Options())
    (row,) = made.rows
    rounded = any("rounding to float32" in note for note in made.notes)
    assert row["largest_difference"] <= 1e-5 * row["largest_answer"] or rounded
    return made.notes


def parts(value: object) -> Iterator[Component]:
    """Every component inside a value."""
    if isinstance(value, Component):
        yield value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from parts(item)


@pytest.mark.compile
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_trains(path: Path, tmp_path: Path) -> None:
    events = list(session.train(load_spec(path, ["schedule.epochs=1"]), out=tmp_path / "run"))
    assert isinstance(events[-1], Finished)
    notes = exported(tmp_path / "run")
    assert any("rounding to float32" in note for note in notes) <= (path.stem in SENSITIVE)


@pytest.mark.compile
@pytest.mark.parametrize("path", ON_MNIST, ids=lambda path: path.stem)
def test_every_spec_on_mnist_trains(path: Path, tmp_path: Path) -> None:
    if not MNIST.is_dir():
        pytest.skip("MNIST is not beside this checkout")
    shorter = ["schedule.epochs=1", "data.subset=500", f"data.path='{MNIST}'"]
    if load_spec(path).spec.pretraining is not None:
        shorter.append("pretraining.epochs=1")
    events = list(session.train(load_spec(path, shorter), out=tmp_path / "run"))
    assert isinstance(events[-1], Finished)
    assert not exported(tmp_path / "run")


def test_the_book_has_a_spec_for_each_of_its_nets() -> None:
    assert {path.stem for path in BOOK} == {
        "ch1-100",
        "ch1-30",
        "ch3-100-l2",
        "ch3-100-l2-slow",
        "ch3-30",
        "ch3-30-l2",
        "ch6-conv",
        "ch6-conv2",
        "ch6-dense-softmax",
        "ch6-dropout",
        "ch6-expanded",
        "ch6-relu",
    }


@pytest.mark.compile
def test_the_digits_are_learned(tmp_path: Path) -> None:
    *_, finished = session.train(load_spec(FOLDER / "digits.yaml"), out=tmp_path / "run")
    assert isinstance(finished, Finished)
    assert finished.summary["test"]["test_accuracy"] >= 0.96


@pytest.mark.parametrize("kind", kinds())
def test_together_they_show_every_kind(kind: str) -> None:
    shown = {part.type for path in SPECS for part in parts(load_spec(path).spec) if part.kind == kind}
    missing = set(components(kind)) - shown - ELSEWHERE.get(kind, set())
    if kind in ENOUGH:
        assert len(shown) >= ENOUGH[kind], f"not shown: {sorted(missing)}"
    else:
        assert not missing


def test_every_source_of_data_has_an_example() -> None:
    specs = (load_spec(path).spec for path in sorted(FOLDER.rglob("*.yaml")))
    assert {spec.data.type for spec in specs} == set(components("data"))


def test_the_files_of_examples_are_as_they_are_made() -> None:
    assert (FOLDER / "data").is_dir()
    path = FOLDER.parent / "scripts" / "example_data.py"
    found = importlib.util.spec_from_file_location("example_data", path)
    assert found is not None
    assert found.loader is not None
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    for name, pixels in made.shapes().items():
        with Image.open(FOLDER / "data/shapes" / name) as picture:
            np.testing.assert_array_equal(np.asarray(picture), pixels)
    for name, content in made.idx_files().items():
        assert (FOLDER / "data" / name).read_bytes() == content
    with np.load(FOLDER / "data/pendulum.npz") as archive:
        for name, array in made.pendulum().items():
            # The mathematics of another platform may differ in the last bit.
            np.testing.assert_allclose(archive[name], array, rtol=1e-6)
    with np.load(FOLDER / "data/solids.npz") as archive:
        for name, array in made.solids().items():
            np.testing.assert_array_equal(archive[name], array)
    tables = {"churn.csv": made.churn(), "energy.csv": made.energy(), "gestures.csv": made.gestures()}
    for name, lines in tables.items():
        assert (FOLDER / "data" / name).read_text(encoding="utf-8").splitlines() == lines
    strokes = made.strokes()
    np.testing.assert_allclose(np.load(FOLDER / "data/strokes.npy"), strokes["strokes.npy"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(np.load(FOLDER / "data/turns.npy"), strokes["turns.npy"])


@pytest.mark.parametrize("path", SPECS + ON_MNIST, ids=lambda path: path.stem)
def test_every_spec_says_what_it_is(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
