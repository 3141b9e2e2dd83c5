"""Targets that are the inputs, and weights that two layers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.analysis.gradcheck import GradientCheck
from nnctl.data.dataset import load_dataset
from nnctl.data.sources.text import Text
from nnctl.engine.engine import Engine
from nnctl.errors import DataError, SpecError
from nnctl.spec.load import load_spec, load_text
from nnctl.training.session import load_engine

TEXT = """
data: {{type: digits, reconstruct: true, validation: 20, subset: 50{more}}}
layers:
  - flatten
  - {{type: dense, name: code, units: 5, activation: sigmoid}}
  - {out}
cost: cross_entropy
"""
TIED = "{type: dense, units: 64, activation: sigmoid, tied_to: code}"


def spec_of(out: str = TIED, more: str = "") -> Any:
    return load_text(TEXT.format(out=out, more=more)).spec


def test_targets_are_the_inputs_as_the_net_sees_them() -> None:
    data = load_dataset(spec_of().data, Path(), 0)
    assert data.shift is not None
    np.testing.assert_allclose(data.train.targets, (data.train.inputs - data.shift) * data.scale, rtol=1e-6)
    assert data.train.targets.dtype == np.float32
    assert (data.train.targets.min(), data.train.targets.max()) == (0.0, 1.0)
    assert data.signature.classes is None
    assert data.validation is not None
    assert data.validation.targets.shape == data.validation.inputs.shape


def test_other_targets_are_refused() -> None:
    with pytest.raises(DataError, match="the targets are the inputs"):
        load_dataset(spec_of(more=", target_type: values").data, Path(), 0)


def test_inputs_that_are_indices_are_no_targets(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("abc" * 20)
    with pytest.raises(DataError, match="are indices, not numbers to learn"):
        load_dataset(Text(path="a.txt", length=4, reconstruct=True), tmp_path, 0)


def test_the_cost_compares_with_the_inputs() -> None:
    spec = spec_of()
    data = load_dataset(spec.data, Path(), 0)
    assert data.shift is not None
    assert data.scale is not None
    engine = Engine(spec, data.signature, seed=0, examples=50, backend="numpy")
    assert data.shift is not None
    assert data.scale is not None
    engine.assign({"data.shift": data.shift, "data.scale": data.scale})
    engine.feed.bind("train", data.train.inputs, data.train.targets)
    y = data.train.targets.reshape(50, -1).astype(float)
    a = engine.outputs(data.train.inputs).astype(float)
    expected = -np.mean(np.sum(y * np.log(a) + (1 - y) * np.log(1 - a), axis=1))
    assert engine.evaluate("train")["cost"] == pytest.approx(expected, rel=1e-5)
    state = engine.state()
    x = (data.train.inputs - data.shift).reshape(50, -1) * data.scale
    hidden = 1 / (1 + np.exp(-(x @ state["code.weight"] + state["code.bias"])))
    by_hand = 1 / (1 + np.exp(-(hidden @ state["code.weight"].T + state["dense1.bias"])))
    np.testing.assert_allclose(a, by_hand, rtol=1e-5)


def test_tied_weights_are_one_parameter_with_both_gradients() -> None:
    spec = spec_of()
    check = GradientCheck(spec, spec.data.signature(Path()))
    assert list(check.parameters) == ["code.weight", "code.bias", "dense1.bias"]
    assert {result.verdict for result in check.run()} == {"PASS"}


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (TIED.replace("code", "cod"), "there is no layer 'cod' with a weight before this one"),
        (TIED.replace("code", "cod"), "did you mean 'code'?"),
        (TIED.replace("64", "63"), "transposed they do not lead from 5 features to 63 units"),
        (TIED.replace("64", "63"), "as many units as 'code' has inputs, 64"),
        (
            TIED.replace("}", ", initializer: zeros}"),
            "a tied layer has no weights of its own: they are those of 'code'",
        ),
        (TIED.replace("64", "63").replace(", tied_to: code", ""), "the net's output has shape (batch, 63)"),
    ],
)
def test_errors(out: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(TEXT.format(out=out, more=""))
    with pytest.raises(SpecError) as caught:
        compiled(path)
    assert message in str(caught.value)


def compiled(path: Path) -> Engine:
    loaded = load_spec(path)
    return load_engine(loaded, loaded.spec.data.signature(path.parent), examples=50)
