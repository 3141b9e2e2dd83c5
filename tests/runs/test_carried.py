"""Runs at addresses: whole or not there, whatever dies in the middle, and whoever else carries the same run."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from nnctl.errors import RunError, UsageError
from nnctl.runs import addresses
from nnctl.runs.addresses import Address, Place, is_address, refuse_address
from nnctl.runs.carried import Carrier, bring, furthest, tidy
from nnctl.runs.folder import RunFolder
from nnctl.runs.sealed import encoded, sha256, write_record

fsspec = pytest.importorskip("fsspec")
memory = pytest.importorskip("fsspec.implementations.memory")


class Dies(BaseException):
    """The end of a process in the middle of what it does."""


class Objects(memory.MemoryFileSystem):  # type: ignore[misc]
    """A store of objects: whole ones, by name, and nothing else. before: called before each change."""

    protocol = "objects"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    cachable = False
    before: ClassVar[Callable[..., object]] = staticmethod(lambda *_: None)

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        type(self).before(self, path, value)
        super().pipe_file(path, value)

    def rm_file(self, path: str) -> None:
        type(self).before(self, path, None)
        super().rm_file(path)

    def refuse(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("a store of objects cannot do that")

    mv = move = rename = cp_file = copy = touch = mkdir = makedirs = refuse


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(Objects, "store", {})
    monkeypatch.setattr(addresses, "_WAITS", (0.0, 0.0))
    fsspec.register_implementation("objects", Objects, clobber=True)
    return Address("objects://bucket/sweep").place()


def state(folder: Path, step: int, *, best: int | None = None, finished: bool = False) -> RunFolder:
    """A run as it is at a step: its files tell the step, whoever trains it."""
    run = RunFolder(folder)
    run.checkpoints.mkdir(parents=True, exist_ok=True)
    run.spec.write_text("layers: []\n")
    run.origin.write_text("{}\n")
    run.metrics.write_text("".join(f'{{"step": {row}}}\n' for row in range(step)))
    for name, at in (("best", step if best is None else best), ("last", step)):
        content = f"{name} of {at}".encode()
        run.checkpoint(name).write_bytes(content)
        run.checkpoint(name).with_suffix(".json").write_text(json.dumps({"sha256": sha256(content)}))
    write_record(run.progress, {"step": step, "seconds": 0.5})
    if finished:
        run.summary.write_text("{}\n")
    return run


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def step_there(place: Place, folder: Path) -> int:
    """The step that another machine would go on from; all that it brings is of that step."""
    run = RunFolder(folder / f"there-{len(list(folder.iterdir()))}")
    carrying = bring(place, "0003", run)
    if carrying is None:
        return 0
    step = len(run.metrics.read_text().splitlines())
    assert run.checkpoint("last").read_bytes() == f"last of {step}".encode()
    return step


def test_a_run_is_carried_and_brought_as_it_was(place: Place, tmp_path: Path) -> None:
    run = state(tmp_path / "here", 40)
    carrier = Carrier(place, "0003", run)
    assert not (tmp_path / "there").exists()
    carrier.carry()
    assert bring(place, "0003", RunFolder(tmp_path / "there")) is not None
    assert contents(tmp_path / "there") == contents(run.path)
    first = place.names()
    carrier.carry()
    assert place.names() == first  # Nothing had changed.
    state(run.path, 90, best=40)
    carrier.carry()
    kept = [name for name in place.names() if name.endswith("best.safetensors")]
    assert kept == [name for name in first if name.endswith("best.safetensors")]
    assert len(place.names()) == 3
    assert step_there(place, tmp_path) == 90


def test_whoever_goes_on_takes_away_what_it_began_with(place: Place, tmp_path: Path) -> None:
    Carrier(place, "0003", state(tmp_path / "first", 40)).carry()
    run = RunFolder(tmp_path / "second")
    second = Carrier(place, "0003", run)
    assert contents(run.path) == contents(tmp_path / "first")
    state(run.path, 70)
    second.carry()
    assert len(place.names()) == 3
    assert step_there(place, tmp_path) == 70


@pytest.mark.parametrize("torn", [False, True])
def test_a_process_that_dies_leaves_what_was_carried_before_or_after(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, torn: bool
) -> None:
    reached = set()
    for dies_at in range(12):
        monkeypatch.setattr(Objects, "store", {})
        run = state(tmp_path / f"run-{dies_at}", 40)
        carrier = Carrier(place, "0003", run)
        carrier.carry()
        state(run.path, 90)
        changes = 0

        def die(system: Objects, path: str, value: bytes | None, dies_at: int = dies_at) -> None:
            nonlocal changes
            if changes == dies_at:
                if torn and value is not None:
                    memory.MemoryFileSystem.pipe_file(system, path, value[: len(value) // 2])
                raise Dies
            changes += 1

        monkeypatch.setattr(Objects, "before", die)
        try:
            carrier.carry()
        except Dies:
            ended = False
        else:
            ended = True
        monkeypatch.setattr(Objects, "before", lambda *_: None)
        reached.add((step_there(place, tmp_path), ended))
        if ended:
            break
    assert reached == {(40, False), (90, False), (90, True)}


@pytest.mark.parametrize(("ours", "theirs"), [(90, 80), (90, 90), (90, 100)])
def test_two_that_carry_the_same_run_do_not_harm_each_other(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ours: int, theirs: int
) -> None:
    """At each change that one makes, the other does all that it does; and either may be dead thereafter."""
    for between in range(12):
        monkeypatch.setattr(Objects, "store", {})
        Carrier(place, "0003", state(tmp_path / f"begun-{between}", 40)).carry()
        one, other = (RunFolder(tmp_path / f"{name}-{between}") for name in ("one", "other"))
        first, second = Carrier(place, "0003", one), Carrier(place, "0003", other)
        state(one.path, ours)
        state(other.path, theirs)
        changes = 0

        def meanwhile(*_: Any, between: int = between, second: Carrier = second) -> None:
            nonlocal changes
            changes += 1
            if changes == between + 1:
                monkeypatch.setattr(Objects, "before", lambda *_: None)
                second.carry()
                assert step_there(place, tmp_path) >= theirs

        monkeypatch.setattr(Objects, "before", meanwhile)
        first.carry()
        monkeypatch.setattr(Objects, "before", lambda *_: None)
        assert step_there(place, tmp_path) == max(ours, theirs if changes > between else 0)
        if changes <= between:
            break
    else:
        raise AssertionError("more changes than were looked at")


def test_a_finished_run_comes_before_any_other_and_the_rest_goes(place: Place, tmp_path: Path) -> None:
    Carrier(place, "0003", state(tmp_path / "slow", 100)).carry()
    place.write("0003/0a1b2c3d-last.safetensors", b"of one that died")
    done = RunFolder(tmp_path / "done")
    carrier = Carrier(Address("objects://bucket/sweep").place(), "0003", done)
    state(done.path, 90, finished=True)
    carrier._old = []  # It knew nothing of the other.
    carrier.carry()
    found = furthest(place, "0003")
    assert found is not None
    assert found.finished
    tidy(place, "0003", found)
    assert len(place.names()) == 3
    assert step_there(place, tmp_path) == 90


def test_checkpoints_that_are_not_what_was_carried_are_no_checkpoints(place: Place, tmp_path: Path) -> None:
    Carrier(place, "0003", state(tmp_path / "run", 40)).carry()
    last = next(name for name in place.names() if name.endswith("last.safetensors"))
    place.write(last, b"last of 41")
    with pytest.raises(RunError, match=r"objects://bucket/sweep/0003: no checkpoint that was carried there is whole"):
        bring(place, "0003", RunFolder(tmp_path / "there"))


@pytest.mark.parametrize("name", ["../../outside", "/outside", "checkpoints/../../outside"])
def test_a_file_that_would_lie_elsewhere_is_refused(place: Place, tmp_path: Path, name: str) -> None:
    place.write("0003/0-000000000001-00000001-0a1b2c3d.json", encoded({"texts": {name: "text"}, "parts": {}}))
    with pytest.raises(RunError, match="a run has no file"):
        bring(place, "0003", RunFolder(tmp_path / "deep" / "there"))
    assert list(tmp_path.rglob("outside")) == []


def test_what_passes_by_is_tried_again_and_what_lasts_is_told_at_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [TimeoutError("slow"), ConnectionError("reset")]

    def fail(*_: Any) -> None:
        if errors:
            raise errors.pop(0)

    monkeypatch.setattr(Objects, "before", fail)
    place.write("name", b"content")
    assert place.read("name") == b"content"
    errors += [ConnectionError("reset")] * 3
    with pytest.raises(RunError, match="objects://bucket/sweep: cannot be written: ConnectionError: reset"):
        place.write("name", b"more")
    assert not errors
    errors += [PermissionError("denied")] * 2
    with pytest.raises(RunError, match="cannot be written: denied\n  it must be open to you"):
        place.require_usable(new=True)
    assert len(errors) == 1
    errors[:] = [type("NoCredentialsError", (Exception,), {})("none found")]
    with pytest.raises(RunError, match="cannot be written: none found\n  give credentials in the way of"):
        place.require_usable(new=True)


def test_a_place_that_does_not_answer_or_forgets(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.require_usable(new=True)
    assert place.names() == []
    forever = threading.Event()
    monkeypatch.setattr(addresses, "_ANSWER", 0.05)
    monkeypatch.setattr(Objects, "before", lambda *_: forever.wait(30))
    with pytest.raises(RunError, match=r"sweep: does not answer within 0 s\n  can this machine reach it\?"):
        place.require_usable(new=True)
    forever.set()
    monkeypatch.setattr(addresses, "_ANSWER", 30.0)
    monkeypatch.setattr(Objects, "before", lambda *_: None)
    monkeypatch.setattr(Objects, "find", lambda *_: [])
    with pytest.raises(RunError, match="does not give back what was written there"):
        place.require_usable(new=True)


def test_secrets_of_an_address_are_not_shown() -> None:
    address = Address("objects://user:pa55@host/sweep?sig=t0ken&x=1")
    assert str(address) == repr(address).replace("Address()", str(address)) == "objects://user@host/sweep"
    said = address.harmless(ValueError(f"no {address.url}, nor pa55, nor sig=t0ken, nor t0ken\nmore"))
    assert said == "no objects://user@host/sweep, nor ***, nor ***, nor ***"


def test_addresses_that_nothing_can_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nosuch://u@h/x: fsspec knows no addresses of nosuch://"):
        Address("nosuch://u:secret@h/x").place()
    with pytest.raises(UsageError, match="addresses are not chained here"):
        Address("simplecache::file:///x").place()
    monkeypatch.setitem(sys.modules, "paramiko", None)
    with pytest.raises(UsageError, match=r"sftp://u@h/x needs a package for sftp://: .*paramiko"):
        Address("sftp://u:secret@h/x").place()
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UsageError, match=r"s3://bucket/x needs .*fsspec, which is not installed\n.*nnctl\[fsspec\]"):
        Address("s3://bucket/x").place()


def test_a_folder_is_not_made_by_the_way_but_the_last_one(tmp_path: Path) -> None:
    place = Address(f"file://{tmp_path}/sweep").place()
    place.write("0000/name", b"content")
    assert place.names() == ["0000/name"]
    with pytest.raises(RunError, match="there is no such place"):
        Address(f"file://{tmp_path}/mistyped/sweep").place().require_usable(new=True)


def test_an_address_in_the_place_of_a_folder_is_refused() -> None:
    assert is_address("s3://bucket/sweep")
    assert not is_address("runs/s3:/sweep")
    with pytest.raises(UsageError, match=r"s3://bucket/sweep: is an address.*\n.*nnctl sweep fetch s3://bucket/sweep"):
        refuse_address(Path("s3://bucket/sweep"))
    with pytest.raises(UsageError, match="file:///shared/sweep: is an address"):
        refuse_address(Path("file:///shared/sweep"))
    refuse_address(Path("runs/net/001"))
