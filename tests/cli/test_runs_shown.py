"""`nnctl show` and `nnctl runs` as they are used: on a real terminal, in pipes, and with what is damaged."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnctl.cli import main

pytestmark = pytest.mark.slow  # processes are started

SPEC = """
name: long
data: {type: moons, examples: 400, validation: 100}
layers: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 100000, batch_size: 2}
backend: numpy
"""


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A run that trains until it is ended, by another process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (tmp_path / "long.yaml").write_text(SPEC)
    line = [sys.executable, "-m", "nnctl", "train", "long.yaml", "--out", "run", "--quiet"]
    process = subprocess.Popen(line, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # The first row.
    yield process
    process.kill()
    process.communicate()


def test_a_run_is_watched_until_ctrl_c(training: subprocess.Popen[bytes]) -> None:
    pexpect = pytest.importorskip("pexpect")
    # Ctrl-C discards what is on its way, in the middle of a character, too.
    watch = pexpect.spawn(
        sys.executable,
        ["-m", "nnctl", "show", "run", "--watch"],
        dimensions=(24, 80),
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
    )
    watch.expect_exact("\x1b[?1049h")  # another screen
    watch.expect("training, [0-9]+ of 100000 epochs")
    watch.expect("validation accuracy")
    watch.setwinsize(10, 40)
    watch.expect("training, [0-9]+ of 100")
    watch.sendintr()
    watch.expect_exact("\x1b[?1049l")  # as it was before
    watch.expect(pexpect.EOF)
    watch.close()
    assert (watch.exitstatus, watch.signalstatus) == (130, None)
    assert "Traceback" not in watch.before
    assert training.poll() is None


def test_watching_ends_with_the_run_and_leaves_its_picture(training: subprocess.Popen[bytes]) -> None:
    pexpect = pytest.importorskip("pexpect")
    watch = pexpect.spawn(
        sys.executable,
        ["-m", "nnctl", "show", "run", "--watch"],
        dimensions=(24, 80),
        encoding="utf-8",
        codec_errors="replace",
        timeout=60,
    )
    watch.expect("training, [0-9]+ of 100000 epochs")
    training.send_signal(signal.SIGINT)
    watch.expect_exact("\x1b[?1049l")
    watch.expect("unfinished, [0-9]+ of 100000 epochs; nobody trains it")
    watch.expect("accuracy")
    watch.expect(pexpect.EOF)
    watch.close()
    assert watch.exitstatus == 0


def test_rows_of_a_run_that_trains_come_in_a_pipe(training: subprocess.Popen[bytes]) -> None:
    line = [sys.executable, "-m", "nnctl", "show", "run", "--watch"]
    with subprocess.Popen(line, stdout=subprocess.PIPE) as watch:
        assert watch.stdout is not None
        rows = [json.loads(watch.stdout.readline()) for _ in range(3)]
        assert [(row["run"], row["epoch"]) for row in rows] == [("run", 1), ("run", 2), ("run", 3)]
        watch.stdout.close()
        assert watch.wait(30) == 141  # nobody reads any more


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "n.yaml").write_text(SPEC.replace("100000", "2").replace("name: long", "name: n"))
    for rate in ("0.1", "0.5"):
        assert main(["train", "n.yaml", "--quiet", "--set", f"optimizer.learning_rate={rate}"]) == 0
    return tmp_path


def test_damaged_runs_are_named_foreign_specs_passed_over_and_both_hide_no_other(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    for name in ("damaged", "foreign", "\x1b[31mred"):
        (folder / "runs" / name).mkdir()
        (folder / "runs" / name / "spec.yaml").write_text("layers: []\n")
        (folder / "runs" / name / "origin.json").write_text("{")
    (folder / "runs" / "foreign" / "origin.json").unlink()
    assert main(["runs", "--sort", "optimizer.learning_rate", "--reverse", "--format", "csv"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["run"] for row in rows] == ["runs/n/002", "runs/n/001"]
    assert [row["optimizer.learning_rate"] for row in rows] == ["0.5", "0.1"]
    assert "runs/damaged/origin.json: is damaged" in err
    assert "runs/foreign" not in err
    assert "runs/\\x1b[31mred/origin.json" in err
    assert main(["runs", "runs/damaged"]) == 2
    assert main(["runs", "--where", "cots=mse"]) == 2
    assert "did you mean cost" in capsys.readouterr().err
    assert main(["runs", "--format", "xml"]) == 2
    assert main(["runs", "nowhere"]) == 2


def test_the_best_and_a_comparison(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["runs", "best", "--monitor", "train_cost"]) == 0
    best = json.loads(capsys.readouterr().out)
    assert main(["runs", "list", "--columns", "train_cost", "--sort", "train_cost", "--limit", "1", "-q"]) == 0
    assert json.loads(capsys.readouterr().out)["run"] == best["run"]
    assert main(["runs", "diff", "runs/n/001", "runs/n/002"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["a"], row["b"]) for row in rows if row["part"] == "spec"] == [(0.1, 0.5)]


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_on_a_terminal_of_every_width(columns: str, folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    commands = (["runs"], ["show", "runs/n/001", "runs/n/002"]) if columns == "80" else (["show", "runs/n"],)
    for arguments in commands:
        environment = {**os.environ, "TERM": "dumb", "COLUMNS": ""}
        line = ["-m", "nnctl", *arguments]
        text, code = pexpect.run(
            f"{sys.executable} {' '.join(line)}", withexitstatus=True, encoding="utf-8", env=environment,
            dimensions=(24, int(columns)),
        )  # fmt: skip
        assert code == 0
        assert "runs/n/002" in text
        drawn = [part for part in text.splitlines() if "|" in part]
        assert max(map(len, drawn), default=0) <= int(columns)
