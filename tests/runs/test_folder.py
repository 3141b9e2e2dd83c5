from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from nnctl.errors import RunError, RunThere
from nnctl.runs.find import find
from nnctl.runs.folder import RunFolder, claim, claim_next, latest, point_latest, require_free


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


ORIGIN = {
    "folder": "/",
    "data": "d",
    "backend": "numpy",
    "nnctl": "0",
    "python": "3",
    "numpy": "2",
    "platform": "any",
    "started": "now",
}


def begin(name: str) -> RunFolder:
    with claim_next(name) as (run, _):
        run.tidy(begun=False)
        run.begin("", ORIGIN)
        point_latest(run)
    return run


def begin_in(path: str) -> RunFolder:
    with claim(Path(path)) as (run, _):
        run.tidy(begun=False)
        run.begin("", ORIGIN)
    return run


def test_numbers_rise_and_latest_follows() -> None:
    first, second = begin("xor"), begin("xor")
    assert [first.path, second.path] == [Path("runs/xor/001"), Path("runs/xor/002")]
    assert Path("runs/xor/latest").resolve() == second.path.resolve()
    assert latest("xor") == second
    assert find(Path("runs/xor")) == second
    assert find(Path("runs/xor/latest")) == second


def test_the_thousandth_run_is_still_the_latest() -> None:
    for number in ("998", "999", "1000"):
        path = Path("runs/xor") / number
        path.mkdir(parents=True)
        (path / "origin.json").touch()
        (path / "spec.yaml").touch()
    assert latest("xor") == RunFolder(Path("runs/xor/1000"))
    assert begin("xor").path.name == "1001"


def test_a_folder_where_no_run_began_is_not_the_latest_and_is_taken() -> None:
    first = begin("xor")
    with claim_next("xor") as (unborn, _):
        assert latest("xor") == first
        with claim_next("xor") as (other, _):  # while the first lives
            assert other.path.name == "003"
    assert latest("xor") == first
    assert begin("xor").path == unborn.path == Path("runs/xor/002")


def test_a_number_with_things_of_someone_else_is_left_alone() -> None:
    path = Path("runs/xor/001")
    path.mkdir(parents=True)
    (path / "notes.txt").write_text("mine")
    assert begin("xor").path.name == "002"
    assert [entry.name for entry in path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("target", ["../../elsewhere", "/etc", "002/../../x", "one"])
def test_latest_leads_to_a_run_beside_it_or_is_refused(target: str) -> None:
    begin("xor")
    link = Path("runs/xor/latest")
    for make in (lambda: link.symlink_to(target), lambda: link.write_text(target)):
        link.unlink()
        make()
        with pytest.raises(RunError, match=r"latest: leads to '.*', not to a run beside it"):
            find(link)


def test_where_links_cannot_be_made_latest_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    begin("xor")
    assert Path("runs/xor/latest").read_text() == "001\n"
    assert find(Path("runs/xor/latest")).path == Path("runs/xor/001")


def test_a_name_is_no_path() -> None:
    assert begin("../a/b").path == Path("runs/-a-b/001")
    assert begin("..").path == Path("runs/run/001")


def test_a_run_in_the_way_is_refused() -> None:
    run = begin_in("out")
    with pytest.raises(RunError, match="holds an unfinished run already"):
        begin_in("out")
    run.summary.touch()
    with pytest.raises(RunError, match="holds a finished run already"):
        begin_in("out")


def test_something_else_in_the_way_is_refused() -> None:
    Path("file").write_text("x")
    Path("folder").mkdir()
    Path("folder/thing").write_text("x")
    for name, what in (("file", "a file"), ("folder", "not empty and not a run")):
        with pytest.raises(RunError, match=f"is in the way: it is {what}"):
            begin_in(name)


def test_a_run_that_another_process_begins_between_two_looks_is_a_run_and_not_in_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exists = RunFolder.exists

    def begin_after(run: RunFolder) -> bool:
        monkeypatch.setattr(RunFolder, "exists", exists)
        begin_in("out")
        return False

    monkeypatch.setattr(RunFolder, "exists", begin_after)
    Path("out").mkdir()
    with pytest.raises(RunThere, match="holds an unfinished run already"):
        require_free(Path("out"))


def test_an_empty_folder_is_taken() -> None:
    Path("empty").mkdir()
    assert begin_in("empty").path == Path("empty")


def test_what_a_process_killed_at_once_leaves_is_no_obstacle() -> None:
    with claim(Path("out")) as (run, _):
        run.tidy(begun=False)
    run.origin.write_text("{}")
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    dead, living = int(ended.stdout), os.getppid()
    for name in (f".spec.yaml.{dead}.tmp", f"checkpoints/.last.json.{dead}.tmp", f".spec.yaml.{living}.tmp"):
        Path("out", name).write_text("na")
    with pytest.raises(RunError, match="not empty and not a run"):
        begin_in("out")
    Path("out/checkpoints").joinpath(f".last.json.{dead}.tmp").unlink()
    begin_in("out")
    assert [entry.name for entry in Path("out").glob(".*")] == [f".spec.yaml.{living}.tmp"]


def test_one_process_at_a_time() -> None:
    run = begin_in("out")
    with run.lock(), pytest.raises(RunError, match="another process is training"), run.lock():
        pass
    with run.lock():
        pass


def test_a_folder_that_goes_away_under_its_lock_is_noticed() -> None:
    run = begin_in("out")
    with run.lock() as lock:
        lock.require_in_place()
        Path("out").rename("moved")
        with pytest.raises(RunError, match="was moved or deleted while it trained"):
            lock.require_in_place()
        Path("out").mkdir()
        Path("out/metrics.jsonl").touch()
        with pytest.raises(RunError, match="was moved or deleted"):
            lock.require_in_place()


def test_no_such_run() -> None:
    with pytest.raises(RunError, match="there is no such run"):
        find(Path("runs/none"))
    Path("file").touch()
    with pytest.raises(RunError, match="file: is a file, and a run is a folder"):
        find(Path("file"))
    Path("plain").mkdir()
    with pytest.raises(RunError, match=r"not a run folder: it has no spec.yaml$"):
        find(Path("plain"))
    Path("plain/spec.yaml").write_text("a stranger's")
    with pytest.raises(RunError, match=r"not a run folder: it has no origin.json$"):
        find(Path("plain"))
    with pytest.raises(RunError, match="plain: is in the way: it is not empty and not a run"), claim(Path("plain")):
        pass
    begin("xor")
    with pytest.raises(RunError, match=r"runs: not a run folder: .*\n  did you mean one of runs/xor\?"):
        find(Path("runs"))


def test_a_damaged_summary_is_named() -> None:
    run = begin_in("out")
    run.summary.write_text("{")
    with pytest.raises(
        RunError, match=r"summary\.json: is damaged or was edited: it is not the JSON[\s\S]*or delete it"
    ):
        run.finished()


def test_a_spec_of_a_run_that_was_edited_is_refused() -> None:
    run = begin_in("out")
    assert run.read_spec() == ""
    run.spec.write_text("seed: 1")
    with pytest.raises(
        RunError, match=r"spec\.yaml: is not the spec that[\s\S]*to train anew: nnctl train out/spec\.yaml"
    ):
        run.read_spec()
    run.spec.write_text("")
    run.change_spec("epochs: 3")
    assert run.read_spec() == "epochs: 3"
