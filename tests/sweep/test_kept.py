"""A process that keeps data and nets from trial to trial gives what processes that keep nothing give, to the bit."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_contents import contents

from nnctl.backends.cpu import step_code
from nnctl.backends.cpu.codegen.source import StepSource, generate
from nnctl.backends.cpu.executable import CompiledStep
from nnctl.data import dataset
from nnctl.data.dataset import Dataset
from nnctl.engine.engine import Engine
from nnctl.errors import DivergedError
from nnctl.graph.network import Network
from nnctl.plan.plan import Plan
from nnctl.process import memory
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import Loaded, load_text, load_variant
from nnctl.training import kept as kept_module
from nnctl.training import session
from nnctl.training.kept import Kept

pytestmark = [pytest.mark.compile, pytest.mark.slow]

SPEC = """
name: small
data: {type: blobs, examples: 60, validation: 12, transforms: [standardize]}
layers:
  - {type: dense, units: 5, activation: tanh}
  - {type: dropout, rate: 0.2}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}
regularizer: {type: l2, strength: 0.01}
schedule: {epochs: 3, batch_size: 16}
backend: {type: cpu, threads: 1}
"""
DIVERGING = ("optimizer.learning_rate=1e30", "optimizer.momentum=0")
TRIALS = [
    (),
    ("seed=1",),
    ("optimizer.learning_rate=0.3", "seed=1"),
    DIVERGING,
    ("optimizer.momentum=0",),
    ("optimizer.momentum=0.5",),
    ("layers.1.rate=0.5",),
    ("layers.1.rate=0.3", "regularizer.strength=0.02"),
    ("layers.1.rate=0.6", "regularizer.strength=0.03"),
    ("regularizer.strength=0.5",),
    ("layers.0.units=7",),
    ("layers.0.units=7", "schedule.batch_size=full"),
    ("schedule.early_stopping={monitor: validation_cost, patience: 1}", "optimizer.learning_rate=1.0"),
    ("data.validation=20",),
    ("data.seed=3", "seed=1"),
    ("schedule.learning_rate={type: cosine}",),
    ("seed=1", "layers.0.units=5"),
    (),
]


def _train(base: Loaded, overrides: tuple[str, ...], folder: Path, kept: Kept | None) -> None:
    try:
        follow(session.train(load_variant(base, overrides), out=folder, threads=1, kept=kept), [RunSink()])
    except DivergedError:
        assert overrides == DIVERGING


def test_every_trial_is_that_of_a_process_of_its_own(tmp_path: Path) -> None:
    base, kept = load_text(SPEC), Kept()
    for number, overrides in enumerate(TRIALS):
        _train(base, overrides, tmp_path / f"kept{number}", kept)
    for number, overrides in enumerate(TRIALS):
        _train(base, overrides, tmp_path / f"alone{number}", None)
        alone, together = contents(tmp_path / f"alone{number}"), contents(tmp_path / f"kept{number}")
        assert together == alone, overrides
        assert ("summary.json" in alone) == (overrides != DIVERGING), overrides


def test_what_is_alike_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    of_data, of_nets = dataset.load_dataset, Network.__init__

    def read(*arguments: object) -> Dataset:
        made.append("data")
        return of_data(*arguments)  # type: ignore[arg-type]

    def build(self: Network, *arguments: object) -> None:
        made.append("net")
        of_nets(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(kept_module, "load_dataset", read)
    monkeypatch.setattr(Network, "__init__", build)
    base, kept = load_text(SPEC, overrides=["data.seed=0"]), Kept()
    for number, rate in enumerate((0.1, 0.2, 0.3)):
        _train(base, (f"optimizer.learning_rate={rate}", f"seed={number}"), tmp_path / str(number), kept)
    assert made == ["data", "net"]
    _train(base, ("layers.0.units=6", "data.validation=10"), tmp_path / "other", kept)
    assert made == ["data", "net"] * 2


def test_code_is_made_once_for_trials_that_differ_in_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def counted(plan: Plan) -> StepSource:
        made.append(plan.name)
        return generate(plan)

    monkeypatch.setattr(step_code, "generate", counted)
    base, kept = load_text(SPEC), Kept()
    _train(base, ("layers.1.rate=0.3", "regularizer.strength=0.02"), tmp_path / "first", kept)
    made.clear()
    _train(base, ("layers.1.rate=0.4", "regularizer.strength=0.03", "seed=1"), tmp_path / "second", kept)
    assert made == []


@pytest.mark.parametrize(("division", "read", "divided"), [("", 1, 1), (", validation: 12", 1, 3)])
def test_files_are_read_once_whatever_the_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, division: str, read: int, divided: int
) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", inputs=rng.random((60, 2), np.float32), targets=np.arange(60) % 3)
    counts: Counter[str] = Counter()

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            counts[function.__name__] += 1
            return function(*arguments)

        return call

    for name in ("read_examples", "divided_examples"):
        each = counted(getattr(dataset, name))
        for module in (dataset, kept_module):
            monkeypatch.setattr(module, name, each)
    text = SPEC.replace("{type: blobs, examples: 60, validation: 12,", f"{{type: npz, path: data.npz{division},")
    base, kept = load_text(text, folder=tmp_path), Kept()
    for seed in range(3):
        _train(base, (f"seed={seed}",), tmp_path / f"kept{seed}", kept)
    assert counts == {"read_examples": read, "divided_examples": divided}
    for seed in range(3):
        _train(base, (f"seed={seed}",), tmp_path / f"alone{seed}", None)
        assert contents(tmp_path / f"alone{seed}") == contents(tmp_path / f"kept{seed}")
    # Where memory is short nothing is kept besides.
    monkeypatch.setattr(memory, "available", lambda: 1 << 20)
    kept = Kept()
    kept.dataset(base)
    assert kept._examples is None


def test_what_is_kept_does_not_grow_with_the_trials(tmp_path: Path) -> None:
    base, kept = load_text(SPEC, overrides=["schedule.epochs=1"]), Kept()
    counted = (Engine, Network, Plan, Dataset, CompiledStep)

    def living() -> list[int]:
        gc.collect()
        return [sum(isinstance(each, kind) for each in gc.get_objects()) for kind in counted]

    counts = []
    for number in range(21):
        overrides = (f"layers.0.units={4 + number % 6}", f"seed={number % 2}")
        _train(base, overrides, tmp_path / str(number), kept)
        if number in (9, 20):
            counts.append(living())
    assert counts[0] == counts[1]
    assert counts[1][0] == counts[1][4] == 0, "no engine outlives its trial"
