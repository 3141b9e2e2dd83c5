"""Compiled code is kept where this user alone can write."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from nnctl.backends.cache import private
from nnctl.backends.cache.private import cache_root, doubt_about

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists, not modes")


@pytest.fixture(autouse=True)
def _anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    private._settled.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    monkeypatch.delenv("NNCTL_CACHE", raising=False)


def test_a_folder_of_ones_own_is_made_for_oneself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "a" / "b"))
    before = os.umask(0)
    try:
        assert cache_root() == tmp_path / "a" / "b" / "compiled"
    finally:
        os.umask(before)
    assert [(tmp_path / each).stat().st_mode & 0o777 for each in ("a", "a/b", "a/b/compiled")] == [0o700] * 3


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o757])
def test_a_folder_that_others_may_write_to_is_said_and_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    shared = tmp_path / "shared" / "compiled"
    shared.mkdir(parents=True)
    shared.chmod(mode)
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "shared"))
    own = tmp_path / "own" / "nnctl" / "compiled"
    assert cache_root() == cache_root() == own
    assert [record.getMessage() for record in caplog.records] == [
        f"other users may write to {shared}: compiled code is not kept there but in {own}"
    ]
    assert list(shared.iterdir()) == []


def test_a_folder_above_that_others_may_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They could put another in its place; not where it is sticky, as /tmp is."""
    above = tmp_path / "above"
    (above / "mine" / "compiled").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("NNCTL_CACHE", str(above / "mine"))
    above.chmod(0o777)
    assert doubt_about(above / "mine" / "compiled") == f"other users may write to {above}"
    above.chmod(0o1777)
    assert doubt_about(above / "mine" / "compiled") is None


def test_a_folder_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    if os.getuid() == 0:
        # What is root's is trusted: give it to somebody.
        os.chown(tmp_path, 12345, -1)
    assert doubt_about(tmp_path / "compiled") == f"{tmp_path} belongs to another user"


def test_a_group_of_ones_own_is_oneself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp
    import pwd

    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0o770)
    name, gid = pwd.getpwuid(os.geteuid()).pw_name, folder.stat().st_gid
    for members, doubted in ([], False), ([name], False), ([name, "somebody"], True):
        monkeypatch.setattr(grp, "getgrgid", lambda gid, m=members: grp.struct_group((name, "x", gid, m)))
        assert (doubt_about(folder) is not None) == doubted
    monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group(("staff", "x", gid, [])))
    assert doubt_about(folder) == f"other users may write to {folder}"


def test_a_link_is_followed_before_anything_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    (theirs / "compiled").mkdir(parents=True)
    theirs.chmod(0o777)
    (tmp_path / "link").symlink_to(theirs)
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "link"))
    assert cache_root() == tmp_path / "own" / "nnctl" / "compiled"


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    import platformdirs

    # As platformdirs answers where no home is known.
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: "~/.cache/nnctl")
    assert cache_root() is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_where_no_folder_can_be_trusted_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o777)
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))
    assert cache_root() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o666, 0o622])
def test_a_file_that_others_may_write_to(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "launch-key"
    file.write_bytes(b"")
    file.chmod(0o600)
    assert doubt_about(file) is None
    file.chmod(mode)
    assert doubt_about(file) == f"other users may write to {file}"
