"""`nnctl train` as a process: its streams, its exit codes, its signals, and what SIGKILL leaves."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnctl.process.streams import BROKEN_PIPE

SPECS = Path(__file__).parents[2] / "specs"
NNCTL = (sys.executable, "-m", "nnctl")
TINY = """
name: tiny
data: {type: blobs, examples: 60, validation: 12, test: 12}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1}
schedule: {epochs: 3}
backend: numpy
"""
ENDLESS = ("--epochs", "1000000")
_SAVE_ALWAYS = """
import sys
from nnctl.cli import main
from nnctl.training import saving
saving.SAVE_SECONDS = saving.SAVE_SHARE = 0.0
sys.exit(main())
"""
RESTLESS = (sys.executable, "-c", _SAVE_ALWAYS)
"""`nnctl` saving as often as it can, so that few rows are enough to be killed before, between and within saves."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(TINY)


def nnctl(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NNCTL, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


@contextlib.contextmanager
def start(*arguments: str | Path, program: tuple[str, ...] = NNCTL) -> Iterator[subprocess.Popen[str]]:
    """A process that writes into small pipes: what nobody reads keeps it from running on, however fast it is.

    It does not outlive the block, whatever fails there.
    """
    process = subprocess.Popen(
        [*program, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, pipesize=4096
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def table(name: str) -> list[dict[str, Any]]:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def timeless(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


def test_stdout_is_json_lines_and_nothing_else() -> None:
    done = nnctl("train", "tiny.yaml")
    assert done.returncode == 0
    records = rows(done.stdout)
    assert [r["event"] for r in records] == ["evaluation"] * 3 + ["test"]
    assert {tuple(r) for r in records} == {tuple(records[0])}
    assert done.stdout == Path("runs/tiny/001/metrics.jsonl").read_text()
    assert "run runs/tiny/001" in done.stderr


@pytest.mark.compile
def test_what_is_compiled_is_said_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_CACHE", "cache")
    done = nnctl("train", "tiny.yaml", "--backend", "cpu")
    assert "compiling the step 'train'" in done.stderr
    assert len(rows(done.stdout)) == 4
    again = nnctl("train", "tiny.yaml", "--backend", "cpu")
    assert "compiling" not in again.stderr


def test_csv_has_fixed_columns_from_the_start() -> None:
    done = nnctl("train", "tiny.yaml", "--format", "csv", "--metrics", "m.jsonl", "--quiet")
    records = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [r["event"] for r in records] == ["evaluation"] * 3 + ["test"]
    assert records[0]["test_accuracy"] == ""
    assert float(records[-1]["test_accuracy"]) > 0
    assert done.stderr == ""
    assert Path("m.jsonl").read_text() == done.stdout


def test_the_suffix_of_the_metrics_file_chooses_its_format() -> None:
    nnctl("train", "tiny.yaml", "--metrics", "m.csv")
    assert len(table("m.csv")) == 4


def test_shortcuts_override_the_spec() -> None:
    nnctl(
        "train", "tiny.yaml", "--seed", "7", "--epochs", "2", "--backend", "numpy", "--set", "schedule.batch_size=full"
    )
    summary = json.loads(Path("runs/tiny/001/summary.json").read_text())
    assert (summary["seed"], summary["epochs"], summary["steps"], summary["backend"]) == (7, 2, 2, "numpy")


def test_a_run_in_the_way_is_refused_and_resumed_when_asked() -> None:
    assert nnctl("train", "tiny.yaml", "--out", "out").returncode == 0
    refused = nnctl("train", "tiny.yaml", "--out", "out")
    assert refused.returncode == 2
    assert "nothing is overwritten" in refused.stderr
    finished = nnctl("train", "tiny.yaml", "--out", "out", "--resume")
    assert (finished.returncode, finished.stdout) == (0, "")
    assert "this run is finished" in finished.stderr
    longer = nnctl("train", "tiny.yaml", "--out", "out", "--resume", "--epochs", "5")
    assert [r["epoch"] for r in rows(longer.stdout)] == [4, 5, 5]


def test_no_exit_code_is_0_where_the_cost_is_no_number() -> None:
    done = nnctl("train", "tiny.yaml", "--set", "optimizer.learning_rate=1e30", "--set", "cost=quadratic",
                 "--set", "layers.0.activation=linear", "--set", "data.target_type=values")  # fmt: skip
    assert done.returncode == 4
    assert "no longer finite after step" in done.stderr
    assert "learning rate" in done.stderr
    assert "Traceback" not in done.stderr
    assert not Path("runs/tiny/001/summary.json").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminal")
def test_a_terminal_gets_a_table_and_a_bar() -> None:
    pexpect = pytest.importorskip("pexpect")
    text, code = pexpect.run(f"{' '.join(NNCTL)} train tiny.yaml", withexitstatus=True, encoding="utf-8")
    assert code == 0
    assert "epoch  seconds" in text
    assert "test, with the weights of epoch 3" in text
    assert "examples/s" in text
    assert "{" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_says_so_by_its_exit_code(number: signal.Signals, code: int) -> None:
    with start("train", "tiny.yaml", *ENDLESS) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.send_signal(number)
        # Not communicate, which passes over what came in one piece with the first line.
        rest, errors = process.stdout.read(), process.stderr.read()
        assert process.wait(timeout=60) == code
    assert "--resume goes on from it" in errors
    assert "Traceback" not in errors
    kept = Path("runs/tiny/001/metrics.jsonl").read_text()
    assert first + rest == kept
    saved = json.loads(Path("runs/tiny/001/checkpoints/last.json").read_text())
    assert saved["rows"] == len(kept.splitlines())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGPIPE")
def test_a_reader_that_leaves_ends_the_run_quietly_and_saved() -> None:
    with start("train", "tiny.yaml", "--quiet", *ENDLESS) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["epoch"] == 1
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        assert process.wait(timeout=60) == BROKEN_PIPE
    assert errors == ""
    assert Path("runs/tiny/001/checkpoints/last.safetensors").exists()


@pytest.mark.compile
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
def test_killed_at_random_moments_it_ends_with_the_same_bytes() -> None:
    """The promise of the README, on its own spec: nothing of a run depends on how often it died."""
    # The rows are many times what the pipes and the reader's buffer hold: no process ends before it is killed.
    # Whoever has read two rows knows that the first is saved.
    arguments = ("train", SPECS / "digits.yaml", "--epochs", "1000", "--set", "data.subset=200", "--quiet")
    whole = nnctl(*arguments, "--out", "whole", "--metrics", "whole.csv")
    assert whole.returncode == 0, whole.stderr
    seed = int.from_bytes(os.urandom(4))
    moments = random.Random(seed)
    for _ in range(3):
        with start(*arguments, "--out", "killed", "--metrics", "killed.csv", "--resume", program=RESTLESS) as process:
            assert process.stdout is not None
            for _ in range(moments.randrange(2, 50)):
                assert process.stdout.readline()
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
    assert json.loads(Path("killed/checkpoints/last.json").read_text())["rows"] > 0, seed
    resumed = nnctl(*arguments, "--out", "killed", "--metrics", "killed.csv", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    for name in ("last.safetensors", "best.safetensors", "last.json", "best.json"):
        assert Path("whole/checkpoints", name).read_bytes() == Path("killed/checkpoints", name).read_bytes(), seed
    assert timeless(rows(Path("killed/metrics.jsonl").read_text())) == timeless(rows(whole.stdout)), seed
    assert timeless(table("killed.csv")) == timeless(table("whole.csv"))
