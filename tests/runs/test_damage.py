"""Damaged run folders: an error that names the file, with exit code 2, or the same result; never a traceback."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import damaged_runs as damage
import numpy as np
import pytest
from run_contents import contents

from nnctl.errors import Interrupted, RunError, UsageError
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.sealed import write_record
from nnctl.runs.sweeps import final_metrics, ranked_trials
from nnctl.spec.load import load_text
from nnctl.sweep.study import read_study
from nnctl.sweep.trial import load_trial
from nnctl.training import session
from nnctl.training.signals import StopRequest

SPEC = """
name: tiny
data: {type: blobs, examples: 24, validation: 6, test: 6}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 3, batch_size: 8, learning_rate: plateau, early_stopping: {patience: 9, restore_best: true}}
backend: numpy
"""
SWEEP = SPEC + "sweep: {grid: {optimizer.learning_rate: [0.1, 0.2]}}\n"
INPUTS = np.linspace(-1.0, 1.0, 10).reshape(5, 2)

EXPECTED = (RunError, UsageError)
"""What ends the process with 2."""

Mutant = tuple[str, str, bytes]
"""(the file's name in the folder, what was done, its new content)."""


def train(out: str, **options: Any) -> None:
    follow(session.train(load_text(SPEC, "tiny.yaml"), out=Path(out), **options), [RunSink()])


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A finished run, and one that was stopped after an epoch."""
    monkeypatch.chdir(tmp_path)
    train("finished")
    stop = StopRequest()
    events = session.train(load_text(SPEC, "tiny.yaml"), out=Path("stopped"), stop=stop, chunk=1)

    def stopping() -> Iterator[Any]:
        for event in events:
            yield event
            if getattr(event, "step", 0) == 4:
                stop.request(15)

    with pytest.raises(Interrupted):
        follow(stopping(), [RunSink()])
    return {name: Path(name) for name in ("finished", "stopped")}


def mutants(folder: Path, every: int) -> list[Mutant]:
    rng = random.Random(0)
    found: list[Mutant] = []
    for path in sorted(folder.rglob("*.*")):
        if not path.is_file():
            continue
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        ways = list(damage.flipped(content, every, rng))
        if path.suffix == ".json":
            ways += damage.records(content, 1 if path.parent.name == "checkpoints" else 2)
        elif path.suffix == ".safetensors":
            ways += damage.headers(content, 1)
        elif path.suffix == ".jsonl":
            ways += damage.rows(content)
        found += [(name, label, changed) for label, changed in ways if changed != content]
    return found


def outcome(folder: Path) -> Any:
    """The outputs of the net in the folder; None for an error that is as it should be."""
    try:
        return open_run(folder).scores(INPUTS)
    except EXPECTED:
        return None


def resumed(folder: Path) -> Any:
    """All that lies in the folder after resuming; None for an error that is as it should be."""
    try:
        train(str(folder), resume=True)
    except EXPECTED:
        return None
    return contents(folder)


def check(runs: dict[str, Path], some: int | None) -> None:
    whole = contents(runs["finished"])
    for state, origin in runs.items():
        right = outcome(origin)
        found = mutants(origin, every=97)
        if some is not None:
            found = random.Random(1).sample(found, some)
        for name, label, changed in found:
            copied = Path(f"damaged-{state}")
            shutil.rmtree(copied, ignore_errors=True)
            shutil.copytree(origin, copied)
            (copied / name).write_bytes(changed)
            where = f"{state}: {name}: {label}"
            answer = outcome(copied)
            assert answer is None or "sealed anew" in label or (answer == right).all(), where
            after = resumed(copied)
            assert after is None or "sealed anew" in label or after == whole, where


@pytest.mark.parametrize(
    "some",
    [15, pytest.param(300, marks=pytest.mark.slow), pytest.param(None, marks=pytest.mark.fuzz)],
    ids=["a few", "some", "all"],
)
def test_damage_is_an_error_or_makes_no_difference(runs: dict[str, Path], some: int | None) -> None:
    check(runs, some)


@pytest.mark.slow
def test_damage_to_a_sweep_is_an_error_or_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sweep.yaml").write_text(SWEEP)
    study = read_study(Path("sweep.yaml"), (), Path("found"))
    study.claim()
    standings = []
    for trial in study.samples():
        loaded = load_trial(study.base, trial.overrides)
        finished = follow(session.train(loaded, out=study.folder_of(trial)), [RunSink()])
        assert finished is not None
        mean = final_metrics(finished.summary)["validation_cost"]
        ranked = {"means": {"validation_cost": mean}, "standard_errors": None, "feasible": True, "front": 0}
        ranked |= {"status": "finished", "step": None, "reached": None}
        standings.append({"settings": {}, "trials": [trial.number], "failed": 0, **ranked})
    objective = {"column": "validation_cost", "higher_is_better": False}
    content = {"objectives": [objective], "ranking": standings}
    write_record(Path("found/results.json"), content)
    right = ranked_trials(Path("found"))
    for name, label, changed in mutants(Path("found"), every=97):
        path = Path("found", name)
        if path.name not in ("sweep.json", "results.json", "summary.json", "spec.yaml"):
            continue
        before = path.read_bytes()
        path.write_bytes(changed)
        try:
            study.claim()
            assert ranked_trials(Path("found")) == right or "sealed anew" in label, f"{name}: {label}"
        except EXPECTED:
            pass
        path.write_bytes(before)
