"""Every op of the table, as onnxruntime computes it, against its reference body; or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from exported import graph_of, run

from nnctl.errors import UsageError
from nnctl.exchange.onnx.emitters import EMITTERS
from nnctl.ops import OPS
from nnctl.ops.namespaces import numpy_namespace

pytest.importorskip("onnxruntime")

SAID = sorted(set(OPS) & set(EMITTERS))
CELLS = {"rnn": (1,), "lstm": (1,), "gru": (1, 2), "leaky_rnn": (1,)}
"""Inputs of cells that are a net's arrays."""


def held(name: str, seed: int, known: tuple[int, ...] = ()) -> None:
    inputs, attributes = OPS[name].sample(np.random.default_rng(seed))
    inputs = [np.asarray(a, np.float32 if np.asarray(a).dtype.kind == "f" else np.int64) for a in inputs]
    wanted = OPS[name].run(numpy_namespace(), [wide(a) for a in inputs], attributes)
    for result, array in zip(run(graph_of(OPS[name], inputs, dict(attributes)), inputs, known), wanted, strict=True):
        assert result.shape == np.shape(array)
        np.testing.assert_allclose(result, array, rtol=1e-5, atol=1e-5, err_msg=f"{name} {attributes}")


def wide(array: Any) -> Any:
    return array.astype(np.float64) if array.dtype.kind == "f" else array


@pytest.mark.parametrize("name", SAID)
def test_an_op_is_what_its_body_says(name: str) -> None:
    for seed in range(12):
        held(name, seed)


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_with_its_weights(name: str) -> None:
    for seed in range(12):
        held(name, seed, CELLS[name])


@pytest.mark.parametrize("name", sorted(set(OPS) - set(EMITTERS)))
def test_what_is_not_said_is_refused_by_the_name_of_its_layer(name: str) -> None:
    inputs, attributes = OPS[name].sample(np.random.default_rng(0))
    inputs = [np.asarray(a) for a in inputs]
    with pytest.raises(UsageError, match=f"layer 'odd' cannot be exported to ONNX: .*{name}"):
        run(graph_of(OPS[name], inputs, dict(attributes)), inputs)


def test_every_emitter_is_of_an_op() -> None:
    assert set(EMITTERS) <= set(OPS)
