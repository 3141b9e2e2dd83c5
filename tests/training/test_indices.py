"""Indices that a net looks rows up by: those it does not know are refused before anything reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from backends.conftest import emulated
from backends.cuda.emulator import EmulatedDevice, compiler

from nnctl.backends.cuda.backend import CudaBackend
from nnctl.data.dataset import load_dataset
from nnctl.engine.engine import load_engine
from nnctl.errors import DataError
from nnctl.inference.opened import open_run
from nnctl.inference.prediction import predict
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_spec
from nnctl.training import session

SPEC = """
data: {type: npz, path: words.npz, indices: true, validation: 4}
layers:
  - {type: LAYER, name: read, vocabulary: 5}
  - {type: rnn, units: 4}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
optimizer: adam
schedule: {epochs: 1, batch_size: 4}
"""


@pytest.fixture(params=["numpy", "cpu", pytest.param("cuda", marks=[pytest.mark.compile, pytest.mark.slow])])
def backend(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a backend, of an emulated device, too: whoever launches anything here has read beside a table."""
    name: str = request.param
    if name != "cuda":
        yield name
        return
    if compiler() is None:
        pytest.skip("the emulated device needs g++")
    with emulated(CudaBackend(NoLaunch())):
        yield name


class NoLaunch(EmulatedDevice):
    def launch(self, loaded: Any, *given: Any, **named: Any) -> None:
        raise AssertionError(f"{loaded.name} is launched")


@pytest.mark.parametrize("layer", ["one_hot", "embedding, units: 3"])
def test_an_index_beyond_the_vocabulary_is_refused(layer: str, backend: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 5, (20, 6))
    inputs[3, 4] = 5
    np.savez(tmp_path / "words.npz", inputs=inputs, targets=rng.integers(0, 2, 20))
    (tmp_path / "spec.yaml").write_text(SPEC.replace("LAYER", layer))
    with pytest.raises(DataError, match="the inputs hold the index 5, and layer 'read' knows 0 to 4"):
        list(session.train(load_spec(tmp_path / "spec.yaml", [f"backend={backend}"]), out=tmp_path / "run"))
    assert not (tmp_path / "run").exists(), "a folder was made for a run that could not begin"


@pytest.mark.parametrize(("label", "split"), [(2, "train"), (-1, "train"), (9, "validation")])
def test_a_label_that_is_no_class_is_refused(label: int, split: str, backend: str, tmp_path: Path) -> None:
    """Whatever a source gives, a package's too."""
    (tmp_path / "spec.yaml").write_text(
        "data: {type: xor, examples: 16, validation: 8}\n"
        "layers: [{type: dense, units: 2, activation: softmax}]\n"
        "cost: log_likelihood\n"
        f"backend: {backend}\n"
    )
    loaded = load_spec(tmp_path / "spec.yaml")
    data = load_dataset(loaded.spec.data, loaded.folder, 0)
    wrong = data.splits[split]
    wrong.targets[3] = label
    engine = load_engine(loaded, data.signature, examples=len(data.train))
    with pytest.raises(DataError, match=f"the targets hold the label {label}, and the data's 2 classes are 0 to 1"):
        engine.feed.bind(split, wrong.inputs, wrong.targets)


def test_the_file_of_an_unknown_token_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abcabcbcaabc")
    (tmp_path / "spec.yaml").write_text(
        "backend: numpy\n"
        "data: {type: text, path: a.txt, length: 4, validation: null}\n"
        "layers: [one_hot, {type: dense, units: 3, activation: softmax}]\n"
        "cost: log_likelihood\n"
        "schedule: {epochs: 1}\n"
    )
    follow(session.train(load_spec(tmp_path / "spec.yaml"), out=tmp_path / "run"), [RunSink()])
    np.save(tmp_path / "new.npy", np.full((2, 4), 3))
    with pytest.raises(DataError, match=r"new\.npy: the inputs hold the index 3, and layer 'one_hot1' knows 0 to 2$"):
        list(predict(open_run(tmp_path / "run"), [tmp_path / "new.npy"]))
