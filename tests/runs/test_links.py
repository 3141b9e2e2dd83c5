"""Run folders with links, pipes or folders in the place of files, and run folders that go away."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import FaultyDisk
from run_contents import contents

from nnctl.errors import RunError
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.durable import make_folder
from nnctl.runs.sealed import write_record
from nnctl.spec.load import load_text
from nnctl.training import saving, session
from nnctl.training.events import Event, Saved

SPEC = """
name: tiny
data: {type: blobs, examples: 24, validation: 6, test: 6}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2, batch_size: 8}
backend: numpy
"""
FILES = (
    "spec.yaml",
    "origin.json",
    "metrics.jsonl",
    "progress.json",
    "summary.json",
    "checkpoints/best.safetensors",
    "checkpoints/last.safetensors",
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other links")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(saving, "SAVE_SHARE", 0.0)


class Then:
    """A sink that does something once, when the first checkpoint is saved."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act: Callable[[], object] | None = act

    def handle(self, event: Event) -> None:
        if isinstance(event, Saved) and self.act is not None:
            self.act()
            self.act = None

    def close(self) -> None:
        pass


def train(out: str, *overrides: str, then: Callable[[], object] = lambda: None, **options: Any) -> None:
    loaded = load_text(SPEC, "tiny.yaml", overrides)
    with FaultyDisk().installed():  # which spares the real one
        follow(session.train(loaded, out=Path(out), chunk=1, **options), [RunSink(), Then(then)])


def train_all(name: str) -> None:
    """Train a run that has the file `name` into "out": the clock is there as long as it is not finished."""
    train("out")
    if name == "progress.json":
        Path("out/summary.json").unlink()
        write_record(Path("out", name), {"step": 6, "seconds": 1.0})


def go_on(out: str) -> None:
    """Resume with more epochs, so that every file is written again."""
    train(out, "schedule.epochs=3", resume=True)


@pytest.mark.parametrize("name", FILES)
def test_a_symbolic_link_is_neither_read_nor_written(name: str) -> None:
    train_all(name)
    elsewhere, link = Path("elsewhere").absolute(), Path("out", name)
    link.rename(elsewhere)
    link.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    with pytest.raises(RunError, match=f"{name}: is a link, and the files of a run are none"):
        go_on("out")
    assert elsewhere.read_bytes() == before
    assert link.is_symlink()


@pytest.mark.parametrize("name", FILES)
def test_what_has_a_second_name_keeps_its_content(name: str) -> None:
    train_all(name)
    outside = Path("outside")
    os.link(Path("out", name), outside)
    before = outside.read_bytes()
    go_on("out")
    assert outside.read_bytes() == before
    train("whole", "schedule.epochs=3")
    assert contents("out")["checkpoints/last.safetensors"] == contents("whole")["checkpoints/last.safetensors"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("put", "words"),
    [(os.mkfifo, "is a named pipe, not a file"), (os.mkdir, "is a folder|Is a directory")],
    ids=["pipe", "folder"],
)
def test_what_is_no_file_is_an_error_at_once(name: str, put: Callable[[Path], None], words: str) -> None:
    train_all(name)
    Path("out", name).unlink()
    put(Path("out", name))
    if name == "spec.yaml":
        words = "not empty and not a run"  # nothing says that it is one
    with pytest.raises(RunError, match=words):
        go_on("out")
    if name not in ("metrics.jsonl", "progress.json", "checkpoints/best.safetensors"):
        with pytest.raises(RunError, match=words if name != "spec.yaml" else "it has no spec"):
            open_run(Path("out"))


def test_checkpoints_do_not_leave_the_folder() -> None:
    train("out")
    Path("out/checkpoints").rename("elsewhere")
    Path("out/checkpoints").symlink_to(Path("elsewhere").absolute())
    for attempt in (lambda: go_on("out"), lambda: open_run(Path("out"))):
        with pytest.raises(RunError, match="checkpoints: is a link, and a run's files lie in its folder"):
            attempt()


def test_a_summary_cannot_name_a_checkpoint_elsewhere() -> None:
    train("out")
    train("other", "seed=3")
    folder = open_run(Path("out")).folder
    summary = folder.finished()
    assert summary is not None
    write_record(folder.summary, {**summary, "weights": "../../other/checkpoints/last"})
    with pytest.raises(RunError, match="weights: input should be 'best' or 'last'"):
        open_run(Path("out"))


def _replace() -> None:
    Path("out").rename("moved")
    shutil.copytree("other", "out")


@pytest.mark.parametrize(
    ("act", "left"),
    [
        (lambda: shutil.rmtree("out"), None),
        (lambda: Path("out").rename("moved"), None),
        (lambda: (shutil.rmtree("out"), os.mkdir("out")), []),
        (_replace, "other"),
    ],
    ids=["deleted", "moved", "emptied", "replaced"],
)
def test_a_folder_that_goes_away_while_training_is_an_error(act: Callable[[], object], left: Any) -> None:
    train("other", "seed=3")
    with pytest.raises(RunError, match=r"out: the run's folder was moved or deleted while it trained\n  .*--resume"):
        train("out", then=act)
    if left is None:
        assert not Path("out").exists()
    else:
        assert contents("out") == (contents("other") if left == "other" else {})
    if Path("moved").exists():
        train("moved", resume=True)
        train("whole")
        assert contents("moved") == contents("whole")


def test_a_finished_run_without_its_checkpoint_cannot_go_on() -> None:
    train("out")
    for path in Path("out/checkpoints").iterdir():
        path.unlink()
    with pytest.raises(RunError, match=r"last\.safetensors: there is no such checkpoint, .* cannot go on to 3"):
        go_on("out")
    before = contents("out")
    train("out", resume=True)  # nothing is asked of it
    assert contents("out") == before


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EFBIG, errno.ENOENT])
def test_what_the_system_refuses_is_one_sentence_and_a_way_out(number: int) -> None:
    disk = FaultyDisk(refuses=(0, OSError(number, os.strerror(number))))
    train("out")
    with disk.installed(), pytest.raises(RunError) as caught:
        session.write_record(Path("out/progress.json"), {"step": 1, "seconds": 1.0})
    said, _, remedy = str(caught.value).partition("\n")
    assert said == f"out/progress.json: cannot be written: {os.strerror(number)}"
    assert remedy.startswith("  ")
    assert caught.value.exit_code == 2


def test_a_folder_that_cannot_be_made_is_said_with_a_way_out() -> None:
    disk = FaultyDisk(refuses=(0, OSError(errno.EROFS, os.strerror(errno.EROFS))))
    with disk.installed(), pytest.raises(RunError) as caught:
        make_folder(Path("out"))
    assert str(caught.value) == (
        "out: cannot make this folder: Read-only file system\n  choose a folder that can be written, with --out"
    )
