"""The process of a command: what it imports, what becomes of its streams, how signals end it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from nnctl.runs.checkpoints import FolderStore
from nnctl.runs.folder import RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="POSIX's streams and signals")]

SPEC = """\
name: é∘𝛼
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
backend: numpy
"""
MODULE = [sys.executable, "-m", "nnctl"]
SCRIPT = [sys.executable, "script/nnctl"]
SCRIPT_TEXT = "import sys\nfrom nnctl.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n"
"""As pip writes it."""
SWEEP = ("sweep", "net.yaml", "--grid", "seed=1,2", "--out", "found")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(SPEC, encoding="utf-8")
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "nnctl").write_text(SCRIPT_TEXT)
    return tmp_path


def run(
    folder: Path, program: list[str], *arguments: str, streams: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """streams: redirections, as the shell writes them."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {streams}', "sh", *program, *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# -- imports ------------------------------------------------------------------------------


def loaded_by_python() -> set[str]:
    """Modules that Python loads by itself before it runs any with -m: nobody can keep them out of the way."""
    done = subprocess.run(
        [sys.executable, "-c", "import runpy, importlib.util, sys; print(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("program", "path"), [(MODULE, None), (SCRIPT, None), (SCRIPT, ".::{}")], ids=["module", "script", "path"]
)
def test_nothing_is_imported_from_the_working_folder(folder: Path, program: list[str], path: str | None) -> None:
    names = {"numpy", "scipy", "yaml", "typer", "rich", "pydantic", "safetensors", "cupy", "threadpoolctl", "plugin"}
    if path is None:
        names |= sys.stdlib_module_names - {"sys", "builtins"} - (loaded_by_python() if program == MODULE else set())
    for name in names:
        (folder / f"{name}.py").write_text(f"open('taken', 'a').write('{name}\\n')\nraise ImportError\n")
    (folder / "plugin-1.0.dist-info").mkdir()
    (folder / "plugin-1.0.dist-info" / "METADATA").write_text("Name: plugin\nVersion: 1.0\n")
    (folder / "plugin-1.0.dist-info" / "entry_points.txt").write_text("[nnctl.components]\nplugin = plugin\n")
    given = {} if path is None else {"PYTHONPATH": path.format(os.environ.get("PYTHONPATH", ""))}
    done = run(folder, program, *SWEEP, **given)
    taken = (folder / "taken").read_text() if (folder / "taken").exists() else ""
    assert (done.returncode, taken) == (0, ""), done.stderr
    assert len(done.stdout.splitlines()) == 2


# -- streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_streams_that_are_closed(folder: Path, streams: str) -> None:
    """No file that is opened takes their place, and nothing for people gets among the rows."""
    done = run(folder, MODULE, "train", "net.yaml", "--out", "out", streams=streams)
    assert done.returncode == 0, done.stderr
    rows = (folder / "out" / "metrics.jsonl").read_text()
    assert [json.loads(line)["epoch"] for line in rows.splitlines()] == [1, 2]
    assert done.stdout == ("" if ">&-" in streams.split() else rows)
    assert FolderStore(RunFolder(folder / "out")).load("last").progress["rows"] == 2


def test_a_sweep_whose_streams_are_closed(folder: Path) -> None:
    assert run(folder, MODULE, *SWEEP, streams="<&- >&-").returncode == 0
    assert len(json.loads((folder / "found" / "results.json").read_text())["ranking"]) == 2


@pytest.mark.parametrize("arguments", [("--help",), ("train", "net.yaml")])
def test_a_device_that_is_full_is_no_defect(folder: Path, arguments: tuple[str, ...]) -> None:
    done = run(folder, MODULE, *arguments, streams=">/dev/full")
    assert done.returncode == 2
    assert done.stderr.endswith("nnctl: No space left on device\n")
    assert "Traceback" not in done.stderr


def test_what_an_encoding_lacks_is_escaped(folder: Path) -> None:
    done = run(folder, MODULE, "explain", "net.yaml", PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    names = [row["value"] for row in map(json.loads, done.stdout.splitlines()) if row["path"] == "name"]
    assert names == ["é∘𝛼"]


@pytest.mark.parametrize("arguments", [("train", "net.yaml", "--metrics", "/dev/stdout"), SWEEP])
def test_a_reader_that_has_gone(folder: Path, arguments: tuple[str, ...]) -> None:
    done = run(folder, ["bash", "-c", '"$@" | true; exit "${PIPESTATUS[0]}"', "bash", *MODULE], *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (141, False)


# -- the end ------------------------------------------------------------------------------

AT_END = """
import atexit, os, sys, threading, time
from nnctl.cli import main

def write(name, ended=os.open("ended", os.O_WRONLY | os.O_CREAT), write=os.write):
    write(ended, name.encode() + b" ")

class Loaded:
    def __del__(self):
        write("apart")

def hear(event, arguments):
    if event == "import" and arguments[0] == "typer":
        atexit.register(write, "registered")

loaded = Loaded()
sys.addaudithook(hear)
threading.Thread(target=lambda: (time.sleep(1), write("thread"))).start()
sys.exit(main(ARGUMENTS))
"""


@pytest.mark.parametrize(
    ("arguments", "ended"),
    [
        ("", "thread registered "),
        ("sys.argv[1:]", "thread registered apart "),  # The process is not the command's.
    ],
)
def test_a_command_ends_when_all_is_put_in_order(folder: Path, arguments: str, ended: str) -> None:
    program = AT_END.replace("ARGUMENTS", arguments)
    done = run(folder, [sys.executable, "-c", program], "explain", "net.yaml")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout.splitlines()[-1])
    assert (folder / "ended").read_text() == ended


def test_the_code_of_a_mistake_is_that_of_the_process(folder: Path) -> None:
    (folder / "wrong.yaml").write_text(SPEC.replace("dense", "dens"))
    done = run(folder, MODULE, "explain", "wrong.yaml")
    assert done.returncode == 2
    assert "wrong.yaml:3:" in done.stderr


# -- signals ------------------------------------------------------------------------------

AT_IMPORT = """
import os, sys
from nnctl.cli import main
_, module, number, *sys.argv[1:] = sys.argv
def hear(event, arguments):
    if event == "import" and arguments[0] == module:
        os.kill(os.getpid(), int(number))
sys.addaudithook(hear)
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("module", "number", "arguments"),
    [
        ("nnctl.backends.blas", signal.SIGINT, ("--help",)),
        ("typer", signal.SIGTERM, ("--help",)),
        ("nnctl.spec.load", signal.SIGHUP, ("inspect", "net.yaml")),
        ("numpy", signal.SIGINT, ("gradcheck", "net.yaml")),
        ("numpy", signal.SIGHUP, ("train", "net.yaml")),
        ("multiprocessing", signal.SIGINT, SWEEP),
    ],
)
def test_a_signal_while_modules_are_imported(
    folder: Path, module: str, number: signal.Signals, arguments: tuple[str, ...]
) -> None:
    done = run(folder, [sys.executable, "-c", AT_IMPORT, module, str(int(number))], *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")


STRUCK = """
import compiler_refusal, os, signal, sys
compiler_refusal.install()
own = os.getpid()
def hear(event, arguments):
    if event in ("import", "os.chdir") and os.getpid() != own:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hear)
"""
"""Python imports a module of this text as it starts: what trains for a sweep gets Ctrl-C while it gets ready."""


def test_ctrl_c_while_workers_start_is_their_parents_affair(folder: Path) -> None:
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(STRUCK)
    path = f"{folder / 'site'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    done = run(folder, MODULE, *SWEEP, PYTHONPATH=path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["finished", "finished"]


def test_a_reader_that_does_not_read_keeps_no_run_from_ending(folder: Path) -> None:
    """Its pipe is full; the run is saved all the same."""
    command = [*MODULE, "train", "net.yaml", "--out", "out", "--set", "schedule.epochs=1000000", "-q"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, pipesize=4096) as process:
        rows = folder / "out" / "metrics.jsonl"
        while process.poll() is None and not (rows.exists() and rows.stat().st_size > 4096):
            os.sched_yield()
        # The first may come before the row that does not fit; the second is a user who has waited.
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.terminate()
        assert process.wait(timeout=20) == 143
    # Each row is kept before it is shown.
    saved = FolderStore(RunFolder(folder / "out")).load("last").progress["rows"]
    assert saved == len(rows.read_text().splitlines())


@pytest.mark.compile
def test_a_signal_leaves_a_compilation(folder: Path) -> None:
    """Nobody waits for the step, and no half of a file stays in the cache."""
    command = [*MODULE, "train", "net.yaml", "--out", "out", "--backend", "cpu"]
    environment = {**os.environ, "NNCTL_CACHE": str(folder / "cache")}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.startswith("compiling the step 'train'") for line in process.stderr)
        process.terminate()
        said = process.stderr.read()
        assert process.wait(timeout=30) == 143
    assert said.splitlines()[-1].startswith("nnctl: stopped while the run was made ready for its next steps")
    assert "Traceback" not in said
    for path in (folder / "cache" / "compiled").iterdir():
        kept = path.read_bytes()
        assert kept[:32] == hashlib.sha256(kept[32:]).digest()
