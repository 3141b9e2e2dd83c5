"""Entries of the folder of kept data: whole or not there, made once, removable."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nnctl.cli import main
from nnctl.data.stored import folder
from nnctl.data.stored.folder import digest_of, entries, entry, on_disk, remove
from nnctl.errors import StorageError


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))


def write(into: Path) -> None:
    (into / "rows").write_bytes(b"1234")


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    made = entry("a" * 64, "table.csv", "columns", write)
    assert (made / "rows").read_bytes() == b"1234"
    assert entry("a" * 64, "table.csv", "columns", lambda _: pytest.fail("made again")) == made
    (found,) = entries()
    assert (found.source, found.what) == (os.path.abspath("table.csv"), "columns")
    assert found.size > 4
    remove(found)
    assert entries() == []


def test_what_fails_leaves_nothing() -> None:
    def fail(into: Path) -> None:
        write(into)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        entry("b" * 64, "table.csv", "columns", fail)
    assert entries() == []
    assert list(folder.cache_root().iterdir()) == []


def test_what_a_dead_process_left_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    left, others = (folder.cache_root() / f"part-{number}-x" for number in (2**22 + 1, os.getpid()))
    left.mkdir(parents=True)
    others.mkdir()
    entry("c" * 64, "table.csv", "columns", write)
    assert not left.exists()
    assert others.exists()


def test_older_entries_of_the_same_file_leave() -> None:
    for number, digest in enumerate("def1"):
        made = entry(digest * 64, "table.csv", "columns", write)
        os.utime(made / "entry.json", (number, number))
    entry("2" * 64, "other.csv", "columns", write)
    assert [each.folder.name[0] for each in entries() if each.source.endswith("table.csv")] in (["f", "1"], ["1", "f"])
    assert len(entries()) == 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "file"))
    with pytest.raises(StorageError, match="set NNCTL_CACHE"):
        entry("e" * 64, "table.csv", "columns", write)


def test_a_changed_file_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a")
    first = digest_of([path], {"delimiter": ","})
    assert first == digest_of([path], {"delimiter": ","})
    assert first != digest_of([path], {"delimiter": ";"})
    os.utime(path, (1, 1))
    assert first != digest_of([path], {"delimiter": ","})


def test_what_is_said_goes_before_what_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nnctl.data.stored.folder.memory.available", lambda: 100)
    assert [on_disk(None, size) for size in (50, 51)] == [False, True]
    assert [on_disk(said, 51) for said in (True, False)] == [False, True]


def test_the_command_lists_them_and_removes_them(capsys: pytest.CaptureFixture[str]) -> None:
    entry("f" * 64, "table.csv", "columns", write)
    assert main(["data", "kept", "--clear"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] > 4
    assert main(["data", "kept"]) == 0
    assert capsys.readouterr().out == ""
