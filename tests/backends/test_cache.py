"""Compiled code on disk: used again, thrown away where it is damaged, done without where it cannot be written."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nnctl.backends.cache import pruning
from nnctl.backends.cache import store as cache
from nnctl.backends.cache.store import kept_bytes, key_of
from nnctl.backends.cpu import compilation
from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.backends.cpu.compiler import objects
from nnctl.backends.cpu.compiler.types import F32, I64, Number
from nnctl.errors import Interrupted
from nnctl.training.signals import stop_on_signals

pytestmark = pytest.mark.compile

CPU = Path(compilation.__file__).parent
COMPILING = [
    "compiling a test, once for this machine: 1 of 1 kind of launches",
    "compiled 1 of 1 kind of launches",
]


def forget() -> None:
    """Let this process have compiled nothing, and know nothing of what its keys depend on."""
    compilation._loaded.clear()
    objects.surroundings.cache_clear()
    cache._say_unwritable.cache_clear()


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    # What runs tables is compiled beside: elsewhere, and before.
    compilation.walker()
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))
    yield tmp_path / "cache" / "compiled"
    forget()


def make(offset: float = 1.0, number: Number = F32) -> Callable[[float], float]:
    """2x + offset, as a process that has not seen it yet gets it. number: the type of another parameter."""
    compilation._loaded.clear()
    kind = Kind((f"p0[0] = p0[0] * F(2.0) + F({offset})",), ((F32, 1), (number, 0)))
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(compiled_step([kind], "a test").kinds[kind])

    def call(x: float) -> float:
        array = np.array([x], np.float32)
        words = np.array([array.ctypes.data, 1, 0], np.int64)
        function(words.ctypes.data)
        return float(array[0])

    return call


def said(caplog) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "nnctl.compile"]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def listening(caplog):
    caplog.set_level(logging.INFO, "nnctl.compile")


def test_the_second_time_nothing_is_compiled(root, monkeypatch, caplog):
    assert make()(3.0) == 7.0
    assert said(caplog) == COMPILING
    monkeypatch.setattr(compilation, "object_code", None)
    assert make()(3.0) == 7.0
    assert said(caplog) == []
    assert [path.name.partition("-")[0] for path in root.iterdir()] == ["launch"]


def test_what_takes_long_says_how_much_is_left(root, monkeypatch, caplog):
    monkeypatch.setattr(compilation, "_SILENCE", -1.0)
    compiled_step([Kind((f"p0[0] = p0[0] + F({offset})",), ((F32, 1),)) for offset in (1.5, 2.5, 3.5)], "a test")
    assert said(caplog)[1:] == [
        "compiled 1 so far, 2 are left",
        "compiled 2 so far, 1 are left",
        "compiled 3 of 3 kinds of launches",
    ]


def test_other_texts_types_versions_and_processors_have_keys_of_their_own(root, monkeypatch):
    make()
    assert len(names(root)) == 1
    make(offset=2.0)
    assert len(names(root)) == 2
    make(number=I64)
    assert len(names(root)) == 3
    monkeypatch.setattr(cache, "__version__", "0.0.0")
    make()
    assert len(names(root)) == 4
    monkeypatch.setattr(objects, "processor", lambda: "abacus")
    objects.surroundings.cache_clear()
    make()
    assert len(names(root)) == 5


def test_every_source_that_writes_code_or_is_called_by_it_is_in_the_key(root, tmp_path, monkeypatch):
    written = {path.name for path in CPU.rglob("*.py")}
    assert {"convolution.py", "kernel_ir.py", "mathematics.py", "emission.py", "dialect.py"} <= written
    assert len(objects.sources()) == len(list(CPU.rglob("*.py")))
    copy = tmp_path / "cpu"
    shutil.copytree(CPU, copy)
    monkeypatch.setattr(objects, "__file__", str(copy / "compiler" / "objects.py"))
    forget()
    make()
    deepest = max(copy.rglob("*.py"), key=lambda path: len(path.parts))
    deepest.write_text(deepest.read_text() + "# changed\n")
    forget()
    make()
    assert len(names(root)) == 2


def test_the_parts_of_a_key_are_told_apart():
    assert len({key_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""], [b"ab\0c"])}) == 5
    assert key_of(["a"]) == key_of([b"a"])


@pytest.mark.parametrize("damage", ["truncated", "emptied", "changed"])
def test_damaged_files_are_made_anew(root, caplog, damage):
    make()
    (victim,) = root.iterdir()
    bytes_before = victim.read_bytes()
    match damage:
        case "truncated":
            victim.write_bytes(bytes_before[: len(bytes_before) // 2])
        case "emptied":
            victim.write_bytes(b"")
        case "changed":
            middle = len(bytes_before) // 2
            victim.write_bytes(bytes_before[:middle] + b"?!" + bytes_before[middle + 2 :])
    said(caplog)
    assert make()(3.0) == 7.0
    assert said(caplog) == [f"the compiled code in {victim} is damaged, and made anew", *COMPILING]
    assert make()(3.0) == 7.0
    assert said(caplog) == []


def test_a_folder_that_cannot_be_made_is_done_without(root, tmp_path, monkeypatch, caplog):
    """And said once."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "file"))
    assert make()(3.0) == 7.0
    assert make(2.0)(3.0) == 8.0
    assert len([words for words in said(caplog) if "cannot be written" in words]) == 1


@pytest.mark.parametrize("operation", [(tempfile, "mkstemp"), (os, "fdopen"), (Path, "replace")])
def test_a_full_disk_is_survived(root, monkeypatch, caplog, operation):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*operation, full)
    assert make()(3.0) == 7.0
    assert any("No space left on device" in words for words in said(caplog))
    assert list(root.iterdir()) == []


def test_another_process_that_was_faster_is_no_error(root, monkeypatch):
    """It puts the same file there while this one compiles."""
    publish = cache._publish

    def late(path: Path, contents: bytes) -> None:
        publish(path, contents)
        publish(path, contents)

    monkeypatch.setattr(cache, "_publish", late)
    assert make()(3.0) == 7.0
    assert len(names(root)) == 1
    assert make()(3.0) == 7.0


def strange(path: Path, what: str) -> None:
    """Something in a file's place."""
    path.unlink(missing_ok=True)
    match what:
        case "pipe":
            os.mkfifo(path)
        case "folder":
            path.mkdir()
        case "link":
            path.symlink_to("/dev/zero")
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)


@pytest.mark.parametrize("what", ["pipe", "folder", "link", "huge"])
def test_what_is_no_file_of_ours_is_thrown_away(root, caplog, what):
    """No pipe is waited for, no device and no terabyte read."""
    assert kept_bytes("object", ["source"], lambda: b"code") == b"code"
    (file,) = root.iterdir()
    strange(file, what)
    assert kept_bytes("object", ["source"], lambda: b"code") == b"code"
    assert said(caplog) == [f"the compiled code in {file} is damaged, and made anew"]
    assert file.is_file()
    assert not file.is_symlink()
    assert kept_bytes("object", ["source"], list) == b"code"
    assert names(root) == {file.name}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists, not modes")
def test_what_others_may_write_to_is_thrown_away_unread(root, caplog):
    """Whatever the user lets them write to, what is put there they may not."""
    before = os.umask(0)
    try:
        kept_bytes("object", ["source"], lambda: b"code")
    finally:
        os.umask(before)
    (file,) = root.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(hashlib.sha256(b"planted").digest() + b"planted")
    file.chmod(0o666)
    assert kept_bytes("object", ["source"], lambda: b"code") == b"code"
    assert said(caplog) == [f"the compiled code in {file} is damaged, and made anew"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_signal_ends_a_compilation_and_leaves_nothing(root):
    """Though the compiler goes on."""
    compiling, end = threading.Event(), threading.Event()

    def endless() -> bytes:
        compiling.set()
        end.wait()
        return b""

    def send() -> None:
        compiling.wait()
        # A signal on the way into a wait is answered at its end, as Python has it: let the main thread be in it.
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()

    def train() -> None:
        with stop_on_signals():
            kept_bytes("object", ["source"], endless)

    with pytest.raises(Interrupted):
        train()
    end.set()
    assert list(root.iterdir()) == []


def test_bytes_are_kept_and_checked(root):
    calls = []

    def made() -> bytes:
        calls.append(1)
        return b"code"

    assert kept_bytes("object", ["source"], made) == b"code"
    assert kept_bytes("object", ["source"], made) == b"code"
    assert len(calls) == 1
    (file,) = root.glob("object-*")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert kept_bytes("object", ["source"], made) == b"code"
    assert len(calls) == 2
    assert kept_bytes("object", ["another source"], made) == b"code"
    assert len(calls) == 3


# -- bounds ---------------------------------------------------------------------------


def entry(root: Path, name: str, *, ago: float, size: int = 100) -> Path:
    """A folder, as earlier versions had them, with a file of so many bytes, last used so many seconds ago."""
    folder = root / name / "inner"
    folder.mkdir(parents=True)
    (folder / "code").write_bytes(b"x" * size)
    os.utime(folder.parent, (time.time() - ago,) * 2)
    return folder.parent


def names(root: Path) -> set[str]:
    return {path.name for path in root.iterdir()}


def test_what_was_used_longest_ago_leaves(root, monkeypatch):
    for age, name in enumerate("abcd"):
        entry(root, name, ago=10.0 * age)
    monkeypatch.setattr(pruning, "MOST_BYTES", 299)
    pruning.prune(root, keep=root / "a")
    assert names(root) == {"a", "b"}
    entry(root, "e", ago=99.0)
    pruning.used(root / "e")
    (root / "gemm-old").write_bytes(b"x" * 50)
    os.utime(root / "gemm-old", (0, 0))
    pruning.prune(root, keep=root / "e")
    assert names(root) == {"a", "e"}


def test_within_its_bounds_a_cache_keeps_everything(root):
    for age, name in enumerate("abc"):
        entry(root, name, ago=1e7 * age)
    pruning.prune(root, keep=root / "a")
    assert names(root) == {"a", "b", "c"}


def test_what_is_new_stays_however_large(root, monkeypatch):
    entry(root, "old", ago=10.0)
    monkeypatch.setattr(pruning, "MOST_BYTES", 1)
    make()
    (key,) = names(root)
    make()
    assert names(root) == {key}
    make(offset=2.0)
    assert len(names(root)) == 1
    assert names(root) != {key}


def test_loading_is_use(root, monkeypatch):
    kept_bytes("object", ["source"], lambda: b"x" * 1000)
    (file,) = root.iterdir()
    os.utime(file, (0, 0))
    kept_bytes("object", ["source"], list)
    entry(root, "between", ago=5.0, size=5000)
    monkeypatch.setattr(pruning, "MOST_BYTES", 5000)
    kept_bytes("object", ["another source"], lambda: b"x" * 1000)
    assert len(names(root)) == 2
    assert file.name in names(root)


def test_a_process_looks_through_a_cache_now_and_then(root, monkeypatch):
    """At what it adds first, and again after each 64th of what fits: to look takes time."""
    looks = []
    monkeypatch.setattr(pruning, "MOST_BYTES", 64 * 1000)
    monkeypatch.setattr(pruning, "prune", lambda root, keep: looks.append(keep.name.partition("-")[0]))
    for name in "abcdefg":
        kept_bytes(name, ["source"], lambda: b"x" * 268)
    assert looks == ["a", "e"]


def test_only_what_a_killed_process_left_is_cleared_of_what_is_being_built(root, monkeypatch):
    entry(root, "building-now", ago=60.0)
    entry(root, "building-then", ago=1e6)
    entry(root, "leaving-1-a", ago=0.0)
    monkeypatch.setattr(pruning, "MOST_BYTES", 0)
    pruning.prune(root, keep=root / "a")
    assert names(root) == {"building-now"}


def test_what_leaves_while_it_is_read_is_made_anew(root, monkeypatch, caplog):
    """Another process prunes between the look at the file and its reading."""
    make()
    said(caplog)
    read = Path.read_bytes

    def gone(path: Path) -> bytes:
        pruning.remove(path)
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", gone)
    assert make()(3.0) == 7.0
    assert said(caplog) == COMPILING
    assert len(names(root)) == 1


def test_entries_that_cannot_be_removed_stay(root, monkeypatch):
    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    entry(root, "theirs", ago=10.0)
    monkeypatch.setattr(pruning, "MOST_BYTES", 1)
    monkeypatch.setattr(Path, "rename", refused)
    pruning.prune(root, keep=root / "own")
    pruning.prune(root / "nowhere", keep=root / "own")
    assert names(root) == {"theirs"}


def test_a_cache_that_can_only_be_read_is_read(root, monkeypatch, caplog):
    make()
    said(caplog)

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "utime", refused)
    assert make()(3.0) == 7.0
    assert said(caplog) == []


PROGRAM = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
import numpy as np
from nnctl.backends.cpu.backend import CpuBackend
from nnctl.graph.builder import GraphBuilder
builder = GraphBuilder("doubling")
plan = CpuBackend(1).plan(builder.graph({"y": builder.input("x", (3,)) * 2.0}), {})
print(CpuBackend(1).load(plan, {}).start({"x": np.ones((1, 3))}, 1).result().outputs["y"].tolist())
"""


CROWD = """
import ctypes
import numpy as np
from nnctl.backends.cache import pruning
from nnctl.backends.cpu import compilation
from nnctl.backends.cpu.codegen.kinds import Kind
from nnctl.backends.cpu.compiler.types import F32
pruning.MOST_BYTES = 1
for offset in (0, 1, 0, 2, 1, 0):
    compilation._loaded.clear()
    kind = Kind((f"p0[0] = p0[0] * F(2.0) + F({offset}.0)",), ((F32, 1),))
    address = compilation.compiled_step([kind], "a test").kinds[kind]
    array = np.array([3.0], np.float32)
    words = np.array([array.ctypes.data, 1], np.int64)
    ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)(words.ctypes.data)
    print(array[0])
"""


def processes(folder: Path, count: int, program: str = PROGRAM) -> list[subprocess.CompletedProcess[str]]:
    environment = {**os.environ, "NNCTL_CACHE": str(folder)}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(count)
    ]
    ended = [(p, *p.communicate(timeout=120)) for p in running]
    return [subprocess.CompletedProcess(p.args, p.returncode, out, err) for p, out, err in ended]


def test_two_processes_at_once_and_a_third_that_compiles_nothing(tmp_path):
    for process in processes(tmp_path, 2):
        assert process.stdout == "[[2.0, 2.0, 2.0]]\n", process.stderr
    assert not list((tmp_path / "compiled").glob("building-*"))
    (third,) = processes(tmp_path, 1)
    assert third.stdout == "[[2.0, 2.0, 2.0]]\n"
    assert "compiling" not in third.stderr


def test_processes_that_prune_what_the_others_read(tmp_path):
    for process in processes(tmp_path, 3, CROWD):
        assert process.stdout.split() == ["6.0", "7.0", "6.0", "8.0", "7.0", "6.0"], process.stderr
        assert process.stderr == ""
    assert not [name for name in names(tmp_path / "compiled") if name.startswith(("building-", "leaving-"))]


def test_an_unwritable_folder_in_a_process(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write everywhere")
    (process,) = processes(folder, 1)
    assert process.stdout == "[[2.0, 2.0, 2.0]]\n", process.stderr
    assert "cannot be written" in process.stderr


def test_feeds_of_any_layout_and_type_are_taken_as_they_are_meant(root):
    from nnctl.backends.cpu.backend import CpuBackend
    from nnctl.graph.builder import GraphBuilder

    builder = GraphBuilder("doubling")
    backend = CpuBackend(1)
    executable = backend.load(backend.plan(builder.graph({"y": builder.input("x", (3,)) * 2.0}), {}), {})
    locked = np.ones((2, 3), np.float32)
    locked.setflags(write=False)
    for fed in (np.ones((2, 3)), np.ones((3, 2), np.float32).T, locked, np.broadcast_to(np.float32(1.0), (2, 3))):
        np.testing.assert_array_equal(executable.start({"x": fed}, 2).result().outputs["y"], np.full((2, 3), 2.0))
    with pytest.raises(ValueError, match="feed x has 3 elements, 2 steps of 3 need 6"):
        executable.start({"x": np.ones((1, 3))}, 2)
