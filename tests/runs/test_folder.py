from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.errors import RunError
from nnctl.runs.find import find
from nnctl.runs.folder import RunFolder, claim, claim_next, latest


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def begin(run: RunFolder) -> RunFolder:
    run.spec.write_text("")
    return run


def test_numbers_rise_and_latest_follows() -> None:
    first, second = begin(claim_next("xor")), begin(claim_next("xor"))
    assert [first.path, second.path] == [Path("runs/xor/001"), Path("runs/xor/002")]
    assert Path("runs/xor/latest").resolve() == second.path.resolve()
    assert latest("xor") == second
    assert find(Path("runs/xor")) == second
    assert find(Path("runs/xor/latest")).path.resolve() == second.path.resolve()


def test_the_thousandth_run_is_still_the_latest() -> None:
    for number in ("998", "999", "1000"):
        path = Path("runs/xor") / number
        path.mkdir(parents=True)
        begin(RunFolder(path))
    assert claim_next("xor").path.name == "1001"
    assert latest("xor") == RunFolder(Path("runs/xor/1000"))


def test_a_folder_that_never_began_is_not_the_latest() -> None:
    first = begin(claim_next("xor"))
    claim_next("xor")
    assert latest("xor") == first


def test_where_links_cannot_be_made_latest_is_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    begin(claim_next("xor"))
    assert Path("runs/xor/latest").read_text() == "001\n"
    assert find(Path("runs/xor/latest")).path == Path("runs/xor/001")


def test_a_name_is_no_path() -> None:
    assert claim_next("../a/b").path == Path("runs/-a-b/001")
    assert claim_next("..").path == Path("runs/run/001")


def test_a_run_in_the_way_is_refused() -> None:
    run = begin(claim(Path("out")))
    with pytest.raises(RunError, match="holds an unfinished run already"):
        claim(Path("out"))
    run.write_json(run.summary, {})
    with pytest.raises(RunError, match="holds a finished run already"):
        claim(Path("out"))


def test_something_else_in_the_way_is_refused() -> None:
    Path("file").write_text("x")
    Path("folder").mkdir()
    Path("folder/thing").write_text("x")
    for name, what in (("file", "a file"), ("folder", "not empty and not a run")):
        with pytest.raises(RunError, match=f"is in the way: it is {what}"):
            claim(Path(name))


def test_an_empty_folder_is_taken() -> None:
    Path("empty").mkdir()
    assert claim(Path("empty")).path == Path("empty")


def test_what_a_process_killed_at_once_leaves_is_no_obstacle() -> None:
    run = claim(Path("out"))
    run.write_json(run.origin, {})
    Path("out/.spec.yaml.77.tmp").write_text("na")
    claim(Path("out"))


def test_one_process_at_a_time() -> None:
    run = begin(claim(Path("out")))
    with run.lock(), pytest.raises(RunError, match="another process is training"), run.lock():
        pass
    with run.lock():
        pass


def test_no_such_run() -> None:
    with pytest.raises(RunError, match="there is no such run"):
        find(Path("runs/none"))
    Path("plain").mkdir()
    with pytest.raises(RunError, match=r"not a run folder: it has no spec.yaml$"):
        find(Path("plain"))
    run = claim_next("xor")
    run.spec.write_text("")
    with pytest.raises(RunError, match=r"runs: not a run folder: .*\n  did you mean one of runs/xor\?"):
        find(Path("runs"))


def test_a_damaged_summary_is_named() -> None:
    run = begin(claim(Path("out")))
    run.summary.write_text("{")
    with pytest.raises(RunError, match=r"summary\.json: cannot be read"):
        run.finished()
