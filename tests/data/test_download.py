"""Mirrors that send too much, too slowly, or for ever: bounded, and nothing is left of them."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nnctl.data.download import mirrors, published
from nnctl.data.download.mirrors import RemoteFile, fetch
from nnctl.data.sources.mnist import Mnist
from nnctl.errors import DataError

CONTENT = b"the right bytes"
FILE = RemoteFile("set.bin", hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())


class Mirror(BaseHTTPRequestHandler):
    """A mirror that misbehaves in the way that its path names."""

    closing: threading.Event

    def do_GET(self) -> None:
        way = self.path.split("/")[1]
        ways = {"good": self.good, "endless": self.endless, "huge": self.huge, "drip": self.drip, "mute": self.mute}
        with suppress(OSError):  # whoever asked has gone
            ways[way]()

    def head(self, length: int | None) -> None:
        self.send_response(200)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def good(self) -> None:
        self.head(len(CONTENT))
        self.wfile.write(CONTENT)

    def endless(self) -> None:
        self.head(None)
        while not self.closing.is_set():
            self.wfile.write(bytes(65536))

    def huge(self) -> None:
        self.head(1 << 40)
        self.wfile.write(bytes(65536))

    def drip(self) -> None:
        self.head(1000)
        while not self.closing.wait(0.02):
            self.wfile.write(b"x")

    def mute(self) -> None:
        while not self.closing.wait(0.02):
            self.wfile.write(b"H")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Callable[[str], str]]:
    closing = threading.Event()
    made = ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Mirror,), {"closing": closing}))
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield lambda way: f"http://127.0.0.1:{made.server_address[1]}/{way}/"
    closing.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("endless", "more than 1,000,000 bytes"),
        ("huge", "more than 1,000,000 bytes"),
        ("drip", "not finished after 0.3 seconds"),
        ("mute", "not finished after 0.3 seconds"),
    ],
)
def test_a_mirror_that_goes_on_is_given_up(
    server: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, words: str
) -> None:
    monkeypatch.setattr(mirrors, "MOST_BYTES", 1_000_000)
    monkeypatch.setattr(mirrors, "MOST_SECONDS", 0.3)
    with pytest.raises(DataError) as caught:
        fetch([FILE], [server(way)], tmp_path, "the set")
    assert str(caught.value) == f"set.bin could not be fetched\n  {server(way)}set.bin: {words}"
    assert list(tmp_path.iterdir()) == []
    # The good one has the same time, on a machine that does other things, too.
    monkeypatch.setattr(mirrors, "MOST_SECONDS", 1.0)
    fetch([FILE], [server(way), server("good")], tmp_path, "the set")
    assert [path.name for path in tmp_path.iterdir()] == ["set.bin"]


def test_leftovers_of_the_dead_are_cleared(server: Callable[[str], str], tmp_path: Path) -> None:
    for name, age in (("killed", 2 * mirrors.MOST_SECONDS), ("under-way", 1.0)):
        (tmp_path / f".set.bin.{name}").write_bytes(b"half")
        os.utime(tmp_path / f".set.bin.{name}", (time.time() - age,) * 2)
    fetch([FILE], [server("good")], tmp_path, "the set")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".set.bin.under-way", "set.bin"]


def test_a_disk_that_is_full_is_no_mirrors_fault(
    server: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mirrors, "leave", full)
    with pytest.raises(OSError, match="No space left on device"):
        fetch([FILE], [server("good")], tmp_path, "the set")
    assert list(tmp_path.iterdir()) == []


def test_without_a_home_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And no folder called ~ is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NNCTL_DATA", raising=False)
    monkeypatch.setattr(published, "cache_folder", lambda name: Path("~/.cache/nnctl") / name)
    with pytest.raises(DataError, match="there is no home folder to fetch it to"):
        Mnist().fetch(tmp_path)
    assert Mnist().where(tmp_path) == "not on this machine: nnctl data fetch mnist"
    assert list(tmp_path.iterdir()) == []
