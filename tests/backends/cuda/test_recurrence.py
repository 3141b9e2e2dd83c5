"""Recurrent cells on sizes that do not divide, with all that they may be given, divided in every way.

Tolerances: a state is a sum over its units, rounded anew at every step, and the error of one step is the input of
the next. Weights are scaled so that no cell amplifies it; what is left grows like the root of steps times units.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backends.cuda import emulator
from backends.cuda.agreement import compare
from backends.cuda.emulator import compiler
from nnctl.backends.cuda.kernels import scan

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++"),
]

# (batch, steps, units): more than one block of examples, of units, of both; more than the device runs together.
SIZES = [(1, 1, 1), (3, 2, 31), (33, 3, 8), (9, 2, 33), (5, 4, 65), (3, 2, 200), (33, 2, 65)]
CELLS = ["rnn", "leaky_rnn", "lstm", "gru"]
GATES = {"rnn": 1, "leaky_rnn": 1, "lstm": 4, "gru": 3}


def sample(cell: str, size: tuple[int, int, int], seed: int) -> tuple[list[Any], list[Any], dict[str, Any]]:
    """([inputs, weights, states…], [mask] or [], attributes) of a cell, drawn from `seed`."""
    rng = np.random.default_rng(seed)
    batch, steps, units = size
    columns = GATES[cell] * units
    weight = rng.standard_normal((units, columns)) / np.sqrt(units)
    inputs = [rng.standard_normal((batch, steps, columns)), weight]
    inputs += [rng.standard_normal(columns)] if cell == "gru" else []
    inputs += [rng.standard_normal((batch, units)) for _ in range(2 if cell == "lstm" else 1)]
    if cell == "leaky_rnn":
        return inputs, [], {"leak": 0.3}
    attributes: dict[str, Any] = {"reverse": bool(seed % 2)}
    if cell == "rnn":
        attributes["activation"] = ["tanh", "relu"][seed // 2 % 2]
    if cell == "gru":
        attributes["reset_after"] = bool(seed // 2 % 2)
    return inputs, [rng.integers(0, 2, size=(batch, steps))] if seed % 3 else [], attributes


def gradient_sample(cell: str, size: tuple[int, int, int], seed: int) -> tuple[list[Any], dict[str, Any]]:
    """Inputs and attributes of a cell's gradient op: states and gates as random as their gradients."""
    (_, weight, *states), mask, attributes = sample(cell, size, seed)
    rng = np.random.default_rng(seed + 1000)
    hidden = rng.uniform(-1.0, 1.0, size)
    if cell == "rnn":
        return [hidden, weight, rng.standard_normal(size), *mask], attributes
    batch, steps, units = size
    count = {"lstm": 4, "gru": 4 if attributes.get("reset_after") else 3}[cell]
    gates = rng.uniform(0.0, 1.0, (batch, steps, count * units))
    shapes = {"h": size, "c": size, "gates": gates.shape}
    names = ("h", "c", "gates") if cell == "lstm" else ("h", "gates")
    given = tuple(name for i, name in enumerate(names) if seed >> i & 1) or ("h",)
    there = [rng.standard_normal(shapes[name]) for name in given]
    return [gates, weight, hidden, states[-1], *there, *mask], {**attributes, "given": given}


@pytest.fixture(params=["alone", "together", "a turn", "chunks"])
def divided(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A way of dividing the scan."""
    if request.param != "alone":
        monkeypatch.setattr(scan, "alone", lambda *_: None)
    if request.param in ("a turn", "chunks"):
        monkeypatch.setattr(scan, "together", lambda *_: None)
    if request.param == "chunks":
        monkeypatch.setattr(scan, "WEIGHTS", 4096)


@pytest.mark.usefixtures("divided")
@pytest.mark.parametrize("cell", CELLS)
def test_cells_of_any_size(cell: str) -> None:
    for seed, size in enumerate(SIZES, start=1):
        inputs, mask, attributes = sample(cell, size, seed)
        compare(cell, [*inputs, *mask], attributes, seed)


@pytest.mark.usefixtures("divided")
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_ways_back_of_any_size(cell: str) -> None:
    for seed, size in enumerate(SIZES, start=1):
        compare(f"{cell}_gradient", *gradient_sample(cell, size, seed), seed)


@pytest.mark.parametrize(
    ("batch", "units", "at_once", "together", "blocks"),
    [(64, 64, True, False, 16), (64, 256, True, True, 128), (4, 200, True, True, 7), (64, 2048, False, False, 1024)],
)
def test_the_division_of_a_long_short_term_memory(
    batch: int, units: int, at_once: bool, together: bool, blocks: int
) -> None:
    for product in (scan.Product(4, units), scan.Product(1, 4 * units)):
        of_size = (batch, units, [product])
        found = scan.alone(*of_size) or scan.together(*of_size) or scan.turn_by_turn(*of_size)[0]
        assert (found.at_once, found.together, found.blocks) == (at_once, together, blocks)
        assert found.shared <= scan.MOST


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_cells_on_a_device_of_less_shared_memory(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As devices of compute capability 8.6 are: what no block there can have is divided another way."""
    monkeypatch.setattr(emulator, "_SHARED", 99 * 1024)
    for seed, size in enumerate([(5, 2, 160), (3, 2, 200)]):
        inputs, mask, attributes = sample(cell, size, seed)
        compare(cell, [*inputs, *mask], attributes, seed)
        compare(f"{cell}_gradient", *gradient_sample(cell, size, seed), seed)
