"""Training on windows that are cut from their series as they are used: the same run as on windows that are held."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.data import training_windows
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_spec
from nnctl.training import session

ENERGY = Path(__file__).parents[2] / "specs" / "energy.yaml"


def run(out: str, in_memory: str) -> tuple[dict[str, bytes], str]:
    loaded = load_spec(ENERGY, ("schedule.epochs=1", "backend=numpy", f"data.in_memory={in_memory}"))
    follow(session.train(loaded, out=Path(out)), [RunSink()])
    state = {name: array.tobytes() for name, array in open_run(Path(out), "last").engine.state().items()}
    return state, open_run(Path(out), "last").fingerprint


def test_windows_cut_as_they_are_used_train_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Windows of the training set that end within the epoch.
    monkeypatch.setattr(training_windows, "_READ_BYTES", 20_000)
    assert run("cut", "false") == run("held", "true")
