"""Compiled code on disk: used again, thrown away where it is damaged, done without where it cannot be written."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from importlib._bootstrap_external import _code_to_timestamp_pyc
from pathlib import Path

import numpy as np
import pytest

from nnctl.backends.cache import pruning
from nnctl.backends.cache import store as cache
from nnctl.backends.cache.store import kept_bytes, key_of
from nnctl.backends.cpu import compilation
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.errors import Interrupted
from nnctl.training.signals import stop_on_signals

pytestmark = pytest.mark.compile

BACKENDS = Path(cache.__file__).parents[1]
TEXT = '"""A generated function."""\n\n\ndef run(x):\n    return x * 2.0 + {offset}\n'


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_loaded", {})
    return tmp_path / "cache" / "compiled"


def make(offset: float = 1.0, kind: str = "float64"):
    """The function, as a process that has not seen it yet gets it."""
    from numba import types

    cache._loaded.clear()
    return compiled_step(TEXT.format(offset=offset), (getattr(types, kind),), "a test")


def said(caplog) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "nnctl.compile"]
    caplog.clear()
    return found


@pytest.fixture(autouse=True)
def listening(caplog):
    caplog.set_level(logging.INFO, "nnctl.compile")


def test_the_second_time_nothing_is_compiled(root, caplog):
    assert make()(3.0) == 7.0
    assert said(caplog) == ["compiling a test, once for this structure"]
    function = make()
    assert function(3.0) == 7.0
    assert said(caplog) == []
    assert function.stats.cache_hits
    assert not function.stats.cache_misses
    assert not list(root.glob("building-*"))


def test_other_texts_types_versions_and_processors_have_keys_of_their_own(root, monkeypatch):
    def keys() -> set[str]:
        return {folder.name for folder in root.iterdir()}

    make()
    assert len(keys()) == 1
    make(offset=2.0)
    assert len(keys()) == 2
    make(kind="float32")
    assert len(keys()) == 3
    monkeypatch.setattr(cache, "__version__", "0.0.0")
    make()
    assert len(keys()) == 4
    monkeypatch.setattr(compilation, "processor", lambda: "abacus")
    make()
    assert len(keys()) == 5


def test_every_source_that_ends_up_in_compiled_code_is_in_the_key(root, tmp_path, monkeypatch):
    """Wherever it lies in the packages of this backend and of what generators share."""
    written = {path.name for name in ("cpu", "codegen") for path in (BACKENDS / name).rglob("*.py")}
    assert {"convolution.py", "kernel_ir.py", "mathematics.py", "loop_nest.py", "dialect.py"} <= written
    assert len(compilation._sources()) == len(
        list(BACKENDS.glob("cpu/**/*.py")) + list(BACKENDS.glob("codegen/**/*.py"))
    )
    for package in ("cpu", "codegen"):
        copy = tmp_path / package
        shutil.copytree(BACKENDS, copy)
        monkeypatch.setattr(compilation, "__file__", str(copy / "cpu" / "compilation.py"))
        make()
        before = len(list(root.iterdir()))
        deepest = max((copy / package).rglob("*.py"), key=lambda path: len(path.parts))
        deepest.write_text(deepest.read_text() + "# changed\n")
        make()
        assert len(list(root.iterdir())) == before + 1


def test_the_parts_of_a_key_are_told_apart():
    assert len({key_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["ab", "c", ""], [b"ab\0c"])}) == 5
    assert key_of(["a"]) == key_of([b"a"])


@pytest.mark.parametrize("pattern", ["*.nbc", "*.nbi", "step.py", "manifest.json"])
@pytest.mark.parametrize("damage", ["truncated", "changed", "gone"])
def test_damaged_files_are_made_anew(root, caplog, pattern, damage):
    make()
    (victim,) = root.rglob(pattern)
    bytes_before = victim.read_bytes()
    match damage:
        case "truncated":
            victim.write_bytes(bytes_before[: len(bytes_before) // 2])
        case "changed":
            middle = len(bytes_before) // 2
            victim.write_bytes(bytes_before[:middle] + b"?!" + bytes_before[middle + 2 :])
        case "gone":
            victim.unlink()
    said(caplog)
    assert make()(3.0) == 7.0
    assert any("is damaged" in words for words in said(caplog))
    assert make()(3.0) == 7.0
    assert said(caplog) == []


def test_a_manifest_that_is_no_json_object(root, caplog):
    make()
    (manifest,) = root.rglob("manifest.json")
    manifest.write_text(json.dumps(["step.py"]))
    assert make()(3.0) == 7.0


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "file"))
    assert make()(3.0) == 7.0
    assert any("cannot be written" in words for words in said(caplog))


def test_a_full_disk_is_survived(root, monkeypatch, caplog):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert make()(3.0) == 7.0
    assert any("No space left on device" in words for words in said(caplog))
    assert not list(root.glob("building-*"))


def test_a_disk_that_fills_up_while_numba_saves_is_survived(root, monkeypatch):
    from numba.core.caching import IndexDataCacheFile

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "save", full)
    assert make()(3.0) == 7.0
    assert not list(root.glob("building-*"))


def test_another_process_that_was_faster_is_no_error(root, monkeypatch):
    """It publishes the same folder while this one compiles."""
    publish = cache._publish

    def late(building: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "step.py").write_text("theirs")
        publish(building, folder)

    monkeypatch.setattr(cache, "_publish", late)
    assert make()(3.0) == 7.0
    assert not list(root.glob("building-*"))


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
@pytest.mark.parametrize("name", ["manifest.json", "step.py", "more"])
def test_what_is_no_file_of_ours_is_thrown_away(root, caplog, name, what):
    """No pipe is waited for, no device and no terabyte read."""
    make()
    (folder,) = root.iterdir()
    strange(folder / name, what)
    said(caplog)
    assert make()(3.0) == 7.0
    if (name, what) != ("more", "folder"):
        assert any("is damaged" in words for words in said(caplog))
    assert make()(3.0) == 7.0
    assert said(caplog) == []


@pytest.mark.parametrize("what", ["pipe", "link", "huge"])
def test_an_entry_that_is_no_folder_is_thrown_away(root, what):
    make()
    (folder,) = root.iterdir()
    shutil.rmtree(folder)
    strange(folder, what)
    assert make()(3.0) == 7.0
    assert folder.is_dir()
    assert not folder.is_symlink()


@pytest.mark.parametrize("what", ["pipe", "folder", "link", "huge"])
def test_bytes_in_whose_place_something_else_lies(root, what):
    assert kept_bytes("object", ["source"], lambda: b"code") == b"code"
    (file,) = root.glob("object-*")
    strange(file, what)
    assert kept_bytes("object", ["source"], lambda: b"code") == b"code"
    assert file.is_file()
    assert kept_bytes("object", ["source"], list) == b"code"


def test_a_manifest_nested_deep(root):
    make()
    (manifest,) = root.rglob("manifest.json")
    manifest.write_text("[" * 100_000)
    assert make()(3.0) == 7.0


def test_byte_code_is_neither_read_nor_written(root, caplog):
    make()
    assert not list(root.rglob("*.pyc"))
    (source,) = root.rglob("step.py")
    planted = importlib.util.cache_from_source(str(source))
    stat = source.stat()
    code = compile("raise SystemExit('planted')", str(source), "exec")
    Path(planted).write_bytes(_code_to_timestamp_pyc(code, int(stat.st_mtime), stat.st_size))
    said(caplog)
    assert make()(3.0) == 7.0
    assert any("is damaged" in words for words in said(caplog))


def test_numbas_own_cache_folder_is_not_used(root, tmp_path, monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "elsewhere"))
    make()
    assert not (tmp_path / "elsewhere").exists()
    assert list(root.rglob("*.nbc"))


def test_a_signal_ends_a_compilation_and_leaves_nothing(root, monkeypatch):
    """Though the compiler goes on."""
    compiling, end = threading.Event(), threading.Event()

    def endless(folder: Path):
        (folder / "half").write_text("")
        compiling.set()
        end.wait()

    def send() -> None:
        compiling.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=send).start()

    def train() -> None:
        with stop_on_signals():
            cache.made("a key", cache.Recipe(endless, endless, endless), "a test")

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
    """A folder of the cache with a file of so many bytes, last used so many seconds ago."""
    folder = root / name / "__pycache__"
    folder.mkdir(parents=True)
    (folder / "step.nbc").write_bytes(b"x" * size)
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
    make()
    (folder,) = root.iterdir()
    os.utime(folder, (0, 0))
    make()
    entry(root, "between", ago=5.0, size=1 << 20)
    monkeypatch.setattr(pruning, "MOST_BYTES", 1 << 20)
    make(offset=2.0)
    assert len(names(root)) == 2
    assert folder.name in names(root)


def test_only_what_a_killed_process_left_is_cleared_of_what_is_being_built(root, monkeypatch):
    entry(root, "building-now", ago=60.0)
    entry(root, "building-then", ago=1e6)
    entry(root, "leaving-1-a", ago=0.0)
    monkeypatch.setattr(pruning, "MOST_BYTES", 0)
    pruning.prune(root, keep=root / "a")
    assert names(root) == {"building-now"}


def test_what_leaves_while_it_is_read_is_made_anew(root, monkeypatch, caplog):
    """Another process prunes between the look at the manifest and the import."""
    make()
    said(caplog)
    intact = cache._intact

    def gone(folder: Path) -> bool:
        found = intact(folder)
        pruning.remove(folder)
        return found

    monkeypatch.setattr(cache, "_intact", gone)
    assert make()(3.0) == 7.0
    assert said(caplog) == ["compiling a test, once for this structure"]
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
from nnctl.backends.cache import pruning, store
from nnctl.backends.cpu.compilation import compiled_step
from nnctl.errors import Interrupted
from nnctl.training.signals import stop_on_signals
from numba import types
pruning.MOST_BYTES = 1
text = "def run(x):\\n    return x * 2.0 + {}\\n"
for offset in (0, 1, 0, 2, 1, 0):
    store._loaded.clear()
    print(compiled_step(text.format(offset), (types.float64,), "a test")(3.0))
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
    """None of them has the function compiled again."""
    from nnctl.backends.cpu.backend import CpuBackend
    from nnctl.graph.builder import GraphBuilder

    builder = GraphBuilder("doubling")
    backend = CpuBackend(1)
    executable = backend.load(backend.plan(builder.graph({"y": builder.input("x", (3,)) * 2.0}), {}), {})
    locked = np.ones((2, 3), np.float32)
    locked.setflags(write=False)
    for fed in (np.ones((2, 3)), np.ones((3, 2), np.float32).T, locked, np.broadcast_to(np.float32(1.0), (2, 3))):
        np.testing.assert_array_equal(executable.start({"x": fed}, 2).result().outputs["y"], np.full((2, 3), 2.0))
    assert len(executable._function.signatures) == 1
    with pytest.raises(ValueError, match="feed x has 3 elements, 2 steps of 3 need 6"):
        executable.start({"x": np.ones((1, 3))}, 2)
