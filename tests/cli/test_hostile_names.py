"""Names from strangers in every command: of classes, files, runs and values, on terminals and in pipes."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from streams import Stream

from nnctl.cli import main
from nnctl.cli.app import COMMANDS

pytestmark = [pytest.mark.slow, pytest.mark.compile]  # every command runs, several times

EVIL = "\x1b[8m\x1b]0;owned\x07\x9b5m\u202e\x08[red]:smile:\x7f\u2066é数"
"""Conceals, renames the window, blinks, turns the order round, goes back; markup; what may be shown as it is."""
YAML = json.dumps(EVIL)  # every JSON string is one of YAML


class Done(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def nnctl(monkeypatch: pytest.MonkeyPatch):
    """A command in this process, with its streams, so that no second is lost in starting it."""

    def run(*arguments: str, terminal: bool, stdin: str = "", encoding: str = "utf-8") -> Done:
        out, err = Stream(encoding, terminal=terminal), Stream(encoding, terminal=terminal)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            # On a terminal that knows no colours, the tool itself has no need of a control character.
            patch.setenv("TERM", "dumb")
            patch.setenv("COLUMNS", "80")
            code = main(arguments)
            assert (sys.stdout, sys.stderr) == (out, err)
        return Done(code, out.text(), err.text())

    return run


def acting(text: str) -> set[str]:
    """Characters that do something else than being shown."""
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n\t"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a hostile name with specs and a trained run; only what is new is written to it."""
    path = tmp_path_factory.mktemp("x") / EVIL
    path.mkdir()
    classes = [EVIL, "plain", "\x1b[2J" + "long" * 5_000]
    lines = [f"{i % 7},{i % 5},{classes[i % 3]}" for i in range(60)]
    (path / "table.csv").write_text("\n".join([f"{EVIL},b,class", *lines]) + "\n", encoding="utf-8", newline="")
    spec = f"""
name: {YAML}
data: {{type: csv, path: table.csv, target: class, validation: 0.2, test: 0.2}}
layers:
  - {{type: dense, units: 4, activation: tanh}}
  - {{type: dense, units: 3, activation: softmax}}
cost: log_likelihood
metrics: [weight_norms]
schedule: {{epochs: 2}}
backend: numpy
"""
    (path / f"{EVIL}.yaml").write_text(spec, encoding="utf-8")
    return path


SPEC = f"{EVIL}.yaml"
RUN = f"run{EVIL}"
SWEEP = f"sweep{EVIL}"
LINES: list[tuple[int, tuple[str, ...]]] = [
    (0, ("init", "table.csv")),
    (0, ("init", "table.csv", "--target", EVIL, "--out", f"{{new}}{EVIL}.yaml")),
    (0, ("train", SPEC, "--out", f"{{new}}{EVIL}")),
    (0, ("train", SPEC, "--out", "{new}", "--format", "jsonl", "--tensorboard")),
    (0, ("show", RUN)),
    (0, ("show", RUN, RUN, "--watch")),
    (0, ("runs", ".")),
    (0, ("runs", ".", "--with-trials", "--format", "jsonl", "--columns", "spec,best.epoch", "--where", f"name={YAML}")),
    (0, ("runs", "best", RUN, "--format", "table")),
    (0, ("runs", RUN, "--tensorboard-dir", "{new}")),
    (0, ("runs", "diff", RUN, RUN)),
    (0, ("evaluate", RUN, "--confusion")),
    (0, ("predict", RUN, f"{EVIL}.csv")),
    (0, ("export", RUN, f"{{new}}{EVIL}.onnx")),
    (0, ("inspect", SPEC)),
    (0, ("inspect", SPEC, "--show", "graph")),
    (0, ("inspect", SPEC, "--show", "plan")),
    (0, ("inspect", SPEC, "--show", "code")),
    (0, ("plot", "boundary", RUN, "--inputs", f"{EVIL},b")),
    (0, ("plot", "landscape", RUN, "--resolution", "3")),
    (0, ("plot", "maps", RUN)),
    (0, ("plot", "graph", SPEC)),
    (0, ("plot", "graph", RUN, "--whole")),
    (2, ("plot", "graph", SPEC, "--whole", "--step", EVIL)),
    (0, ("plot", "saliency", RUN)),
    (0, ("plot", "saliency", RUN, "-o", f"{{new}}{EVIL}.svg")),
    (0, ("explain", SPEC)),
    (0, ("gradcheck", SPEC)),
    (0, ("trace", SPEC)),
    (0, ("trace", RUN, "--example", "2", "--format", "table")),
    (0, ("parity", SPEC, "--backend", "cpu", "--steps", "1")),
    (0, ("bench", SPEC, "--steps", "1")),
    (0, ("doctor", SPEC)),
    (0, ("doctor",)),
    (0, ("data", "show", SPEC)),
    (0, ("data", "list")),
    (0, ("data", "kept")),
    (0, ("sweep", SPEC, "--grid", f"description={YAML}", "--out", f"{{new}}{EVIL}")),
    (0, ("report", RUN, SWEEP, "--out", f"{{new}}{EVIL}.html")),
    (2, ("report", EVIL)),
    (0, ("sweep", "show", SWEEP)),
    (0, ("sweep", "show", SWEEP, "--csv", f"{{new}}{EVIL}.csv")),
    (0, ("schema",)),
    (0, ("completion", "bash")),
    # What goes wrong names what it was given.
    (2, (EVIL,)),
    (2, ("--" + EVIL,)),
    (3, ("init", EVIL)),
    (3, ("init", "table.csv", "--target", f"{EVIL}{EVIL}")),
    (2, ("train", SPEC, "--" + EVIL)),
    (2, ("train", SPEC, "--seed", EVIL)),
    (2, ("train", "x" * 100_000)),
    (2, ("train", EVIL)),
    (2, ("train", SPEC, "--set", EVIL)),
    (2, ("train", SPEC, "--set", f"{EVIL}={EVIL}")),
    (2, ("train", SPEC, "--set", f"name: {EVIL}")),
    (2, ("train", SPEC, "--set", f"cost={YAML}")),
    (2, ("train", SPEC, "--set", f"layers.0.name={YAML}")),
    (3, ("train", SPEC, "--set", f"data.path={YAML}")),
    (2, ("train", SPEC, "--backend", EVIL)),
    (2, ("train", SPEC, "--out", RUN)),
    (2, ("train", SPEC, "--format", EVIL)),
    (2, ("plot", "boundary", RUN, "--inputs", EVIL)),
    (2, ("plot", "boundary", RUN, "--inputs", f"{EVIL},{EVIL}{EVIL}")),
    (2, ("plot", "filters", RUN)),
    (2, ("plot", "saliency", RUN, "--of", f"{EVIL}{EVIL}")),
    (2, ("plot", "maps", RUN, "-o", EVIL)),
    (2, ("plot", "augment", SPEC)),
    (2, ("show", EVIL)),
    (2, ("show", RUN, "--by", EVIL)),
    (2, ("runs", EVIL)),
    (2, ("runs", ".", "--where", EVIL)),
    (2, ("runs", ".", "--where", f"a={EVIL}")),
    (2, ("runs", ".", "--columns", EVIL)),
    (2, ("runs", ".", "--sort", EVIL)),
    (2, ("runs", "best", ".", "--monitor", EVIL)),
    (2, ("runs", "diff", RUN, EVIL)),
    (2, ("evaluate", EVIL)),
    (2, ("evaluate", RUN, "--split", EVIL)),
    (2, ("evaluate", RUN, "--checkpoint", EVIL)),
    (3, ("predict", RUN, EVIL)),
    (0, ("predict", RUN, "table.csv", "--keep", EVIL)),
    (2, ("predict", RUN, "table.csv", "--keep", f"{EVIL}{EVIL}")),
    (3, ("evaluate", RUN, "--data", f"{EVIL}.csv")),
    (2, ("export", RUN, EVIL)),
    (2, ("export", RUN, f"{EVIL}/{EVIL}.onnx")),
    (2, ("inspect", SPEC, "--show", EVIL)),
    (2, ("inspect", SPEC, "--step", EVIL)),
    (2, ("explain", SPEC, "--under", EVIL)),
    (2, ("gradcheck", SPEC, "--method", EVIL)),
    (2, ("trace", SPEC, "--split", EVIL)),
    (2, ("trace", SPEC, "--format", EVIL)),
    (2, ("trace", EVIL)),
    (2, ("bench", SPEC, "--step", EVIL)),
    (2, ("doctor", EVIL)),
    (2, ("data", "show", EVIL)),
    (2, ("data", "fetch", EVIL)),
    (2, ("sweep", SPEC, "--grid", EVIL)),
    (2, ("sweep", SPEC, "--space", f"{EVIL}=1:2")),
    (2, ("sweep", "show", EVIL)),
    (2, ("sweep", "show", f"{EVIL}://x")),
    (2, ("sweep", SPEC, "--grid", "seed=1,2", "--out", f"file:///{EVIL}/{EVIL}")),
    (2, ("sweep", "fetch", f"file:///{EVIL}", "{new}")),
    (2, ("sweep", "show", SWEEP, "--format", EVIL)),
    (2, ("sweep", "show", SWEEP, "--csv", f"{EVIL}/{EVIL}")),
    (2, ("sweep", "show", SWEEP, "--export", EVIL + "://x")),
    (2, ("sweep", SPEC, "--space", "seed=1:9", "--trials", "2", "--sampler", "tpe", "--from", EVIL)),
    (2, ("completion", EVIL)),
]
"""Exit codes and lines; {new} is a name that is not there yet."""


@pytest.fixture(scope="module")
def working(folder: Path) -> Path:
    """The folder with a run and a sweep."""
    (folder / f"{EVIL}.csv").write_text("1,2\n3,4\n")
    assert main(("train", str(folder / SPEC), "--out", str(folder / RUN), "--quiet")) == 0
    sweep = ("sweep", str(folder / SPEC), "--grid", f"description={YAML}", "--out", str(folder / SWEEP), "-q")
    assert main(sweep) == 0
    return folder


def test_every_command_has_a_line() -> None:
    assert {arguments[0] for code, arguments in LINES if code == 0} == set(COMMANDS)


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
@pytest.mark.parametrize(("code", "arguments"), LINES, ids=lambda v: str(LINES.index(v)) if v in LINES else None)
def test_nothing_acts_on_a_terminal(
    code: int, arguments: tuple[str, ...], terminal: bool, nnctl, working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(working)
    new = f"new{len(list(working.iterdir()))}"
    done = nnctl(*(argument.replace("{new}", new) for argument in arguments), terminal=terminal)
    assert done.code == code, done.err
    assert acting(done.out) == acting(done.err) == set()
    assert len(done.err) < 20_000
    assert "Traceback" not in done.err
    if terminal and arguments != ("schema",):
        assert len(done.out) < 100_000


@pytest.mark.parametrize(
    "arguments", [("evaluate", RUN, "--confusion"), ("predict", RUN, f"{EVIL}.csv"), ("data", "show", SPEC)]
)
def test_json_is_exact(arguments: Sequence[str], nnctl, working: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(working)
    for encoding in ("utf-8", "ascii", "latin-1"):
        rows = [json.loads(line) for line in nnctl(*arguments, terminal=False, encoding=encoding).out.splitlines()]
        assert any(EVIL in name for row in rows for name in names(row))


def names(value: object) -> set[str]:
    """Every string within a value, keys included."""
    if isinstance(value, dict):
        return set(value) | {name for item in value.values() for name in names(item)}
    if isinstance(value, list):
        return {name for item in value for name in names(item)}
    return {value} if isinstance(value, str) else set()


@pytest.mark.parametrize(
    "arguments",
    [("train", SPEC, "--out", "{new}"), ("sweep", SPEC, "--grid", f"description={YAML}", "--out", "{new}" + EVIL)],
)
def test_with_colours_and_bars_only_what_the_tool_draws_acts(
    arguments: Sequence[str], working: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pexpect = pytest.importorskip("pexpect")
    monkeypatch.chdir(working)
    monkeypatch.setenv("TERM", "xterm-256color")
    line = ["-m", "nnctl", *(a.replace("{new}", f"drawn{len(list(working.iterdir()))}") for a in arguments)]
    with pexpect.spawn(sys.executable, line, encoding="utf-8", timeout=120, dimensions=(40, 80)) as process:
        process.expect(pexpect.EOF)
        text = process.before
    drawn = re.sub(r"\x1b\[(?!8m|5m)[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[AK]|\r", "", text)
    assert len(drawn) < len(text)
    assert acting(drawn) == set()
    assert "\\x1b[8m" in drawn


def test_what_nobody_foresaw_is_harmless_too(capfd: pytest.CaptureFixture[str]) -> None:
    program = f"""
import logging, sys, warnings, nnctl.cli, nnctl.cli.schema
EVIL = {EVIL!r}
def schema():
    logging.getLogger("nnctl.x").warning("log %s", EVIL)
    warnings.warn(EVIL)
    raise ValueError(EVIL + "x" * 10**6)
nnctl.cli.schema.schema = schema
sys.exit(nnctl.cli.main(["schema"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    text = done.stderr.decode()
    assert done.returncode == 1
    assert acting(text) == set()
    assert text.count("\\x1b[8m") == 3
    assert len(text) < 10_000
    assert "this is a defect of nnctl" in text
