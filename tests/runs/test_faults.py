"""A run on a disk that fails at each of its operations in turn: killed, without power, or full; then resumed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from faults import LOSSES, FaultyDisk, Killed, Loss
from run_contents import contents

from nnctl.errors import RunError
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import durable
from nnctl.spec.load import Loaded, load_text
from nnctl.sweep.study import read_study
from nnctl.training import saving, session

SPEC = """
name: tiny
data: {type: blobs, examples: 24, validation: 6, test: 6}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.05}
schedule: {epochs: 2, batch_size: 8, early_stopping: {monitor: validation_cost, patience: 9, restore_best: true}}
backend: numpy
"""
PRETRAINED = """
name: tiny
data: {type: digits, subset: 40, validation: 10, test: 1700}
layers:
  - flatten
  - {type: dense, name: one, units: 3, activation: sigmoid}
  - {type: dense, units: 10, activation: softmax}
pretraining: {layers: [one], epochs: 2}
cost: log_likelihood
schedule: {epochs: 1, batch_size: 20}
backend: numpy
"""
WATCHED = SPEC.replace("epochs: 2", "epochs: 1") + "watch: {examples: 4}\n"
DEAD = 2**30
"""The number of a process that there cannot be."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A checkpoint after every step: as many moments to die at as there can be.
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(saving, "SAVE_SHARE", 0.0)


def train(out: str | None, text: str = SPEC, *overrides: str, **options: Any) -> None:
    loaded: Loaded = load_text(text, "tiny.yaml", overrides)
    follow(session.train(loaded, out=None if out is None else Path(out), **options), [RunSink()])


def count_operations(out: str | None, text: str = SPEC, *overrides: str, **options: Any) -> int:
    disk = FaultyDisk()
    with disk.installed():
        train(out, text, *overrides, **options)
    return disk.operations


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "losing"),
    [*((SPEC, losing) for losing in LOSSES), (PRETRAINED, "nothing"), (PRETRAINED, "both"), (WATCHED, "both")],
    ids=[*LOSSES, "pretrained-nothing", "pretrained-both", "watched-both"],
)
def test_killed_at_any_operation_a_run_resumes_to_the_same_bytes(text: str, losing: Loss) -> None:
    operations = count_operations("whole", text, chunk=2)
    assert operations > 50
    for point in range(operations):
        out = f"at-{point}"
        kill(out, text, point=point, losing=losing)
        resume(out, text)
        assert contents(out) == contents("whole"), point


@pytest.mark.slow
@pytest.mark.parametrize("losing", ["nothing", "both"])
def test_killed_as_more_epochs_begin_it_resumes_to_the_same_bytes(losing: Loss) -> None:
    """From the finished run on: the summary goes, the spec changes, training goes on."""
    more = ("schedule.epochs=3",)
    whole = "whole"
    resume(whole, SPEC)
    operations = count_operations(whole, SPEC, *more, resume=True, chunk=2)
    for point in range(operations):
        out = f"at-{point}"
        resume(out, SPEC)
        kill(out, SPEC, *more, point=point, losing=losing, resume=True)
        resume(out, SPEC, *more)
        assert contents(out) == contents(whole), point


@pytest.mark.slow
@pytest.mark.parametrize("losing", ["nothing", "both"])
def test_a_numbered_run_that_died_leaves_no_second_folder(losing: Loss) -> None:
    operations = count_operations(None, SPEC, chunk=9)
    whole = tree("runs")
    for point in range(operations):
        shutil.rmtree("runs")
        kill(None, SPEC, point=point, losing=losing, chunk=9)
        resume(None, SPEC)
        assert tree("runs") == whole, point


@pytest.mark.slow
@pytest.mark.parametrize("number", [errno.ENOSPC], ids=errno.errorcode.get)
def test_a_disk_that_refuses_an_operation_is_a_sentence_and_costs_nothing(number: int) -> None:
    operations = count_operations("whole", SPEC, chunk=2)
    for point in range(operations):
        out = f"at-{point}"
        disk = FaultyDisk(refuses=(point, OSError(number, os.strerror(number))))
        with disk.installed(), pytest.raises(RunError) as caught:
            train(out, SPEC, chunk=2)
        assert os.strerror(number) in str(caught.value)
        assert caught.value.exit_code == 2
        assert not [path for path in Path(out).rglob("*") if durable.is_leftover(path.name)]
        resume(out, SPEC)
        assert contents(out) == contents("whole"), point


def test_a_short_run_flushes_what_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder's name, its origin, its spec, its rows, two checkpoints and its summary: nothing is flushed twice."""
    monkeypatch.setattr(saving, "SAVE_SECONDS", 99.0)
    disk = FaultyDisk()
    with disk.installed():
        train("short")
    flushed = [what for what in disk.log if what.startswith("flush")]
    # The rows also after those of the test split.
    assert len(flushed) == 13
    names = [what for what in disk.log if what.startswith(("make_folder", "open short/metrics"))]
    assert names == ["make_folder short", "open short/metrics.jsonl", "make_folder short/checkpoints"]


def test_a_sweep_killed_as_it_begins_begins_again(tmp_path: Path) -> None:
    Path("tiny.yaml").write_text(SPEC + "sweep: {seeds: 2}\n")
    study = read_study(Path("tiny.yaml"), (), Path("found"))
    counted = FaultyDisk()
    with counted.installed():
        study.claim()
    right = contents("found")
    for losing in LOSSES:
        for point in range(counted.operations):
            shutil.rmtree("found", ignore_errors=True)
            disk = FaultyDisk(dies_at=point, losing=losing)
            with mock.patch.object(os, "getpid", return_value=DEAD), disk.installed(), pytest.raises(Killed):
                study.claim()
            disk.lose()
            study.claim()
            assert contents("found") == right


def test_the_double_tells_what_is_not_flushed(tmp_path: Path) -> None:
    """It would be no test if it kept everything: without a flush, the old content and the old names come back."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    for losing, content, names in (
        ("nothing", b"after!", {"file", "new"}),
        ("contents", b"before", {"file", "new"}),
        ("names", b"after!", {"file"}),
        ("both", b"before", {"file"}),
    ):
        path.write_bytes(b"before")
        (tmp_path / "new").unlink(missing_ok=True)
        disk = FaultyDisk(losing=losing)
        for name in ("file", "new"):
            descriptor = disk.open(tmp_path / name, os.O_RDWR | os.O_CREAT)
            disk.write(descriptor, b"after!")
            os.close(descriptor)
        disk.lose()
        assert (path.read_bytes(), {p.name for p in tmp_path.iterdir()}) == (content, names)


def kill(out: str | None, text: str, *overrides: str, point: int, losing: Loss, **options: Any) -> None:
    """Train until the disk's operation `point`, as a process of its own number, and lose what was not flushed."""
    disk = FaultyDisk(dies_at=point, losing=losing)
    with mock.patch.object(os, "getpid", return_value=DEAD), disk.installed(), pytest.raises(Killed):
        train(out, text, *overrides, chunk=options.pop("chunk", 2), **options)
    disk.lose()


def resume(out: str | None, text: str, *overrides: str) -> None:
    """Go on, or begin, with other chunks."""
    with FaultyDisk().installed():
        train(out, text, *overrides, resume=True, chunk=1)


def tree(folder: str) -> dict[str, Any]:
    """The contents of all runs in a folder, and where its links lead."""
    links = {str(path): os.readlink(path) for path in Path(folder).rglob("*") if path.is_symlink()}
    return {"links": links} | {str(p): contents(p) for p in Path(folder).glob("*/*") if not p.is_symlink()}
