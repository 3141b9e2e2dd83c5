"""Indices that a net looks rows up by: those it does not know are refused before anything reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("layer", ["one_hot", "embedding, units: 3"])
def test_an_index_beyond_the_vocabulary_is_refused(layer: str, backend: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.integers(0, 5, (20, 6))
    inputs[3, 4] = 5
    np.savez(tmp_path / "words.npz", inputs=inputs, targets=rng.integers(0, 2, 20))
    (tmp_path / "spec.yaml").write_text(SPEC.replace("LAYER", layer))
    with pytest.raises(DataError, match="the inputs hold the index 5, and layer 'read' knows 0 to 4"):
        list(session.train(load_spec(tmp_path / "spec.yaml", [f"backend={backend}"]), out=tmp_path / "run"))


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
