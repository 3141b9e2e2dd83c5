"""Terminals of every width, without colours, and of other encodings: the tool says the same, and never fails."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from streams import Stream

import nnctl
from nnctl.cli import main
from nnctl.cli.completion.command import describe
from nnctl.cli.completion.tree import Command

pytestmark = pytest.mark.slow  # many commands run

SPEC = """
data: {type: blobs, examples: 60, validation: 12, test: 12}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
backend: numpy
"""


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, *arguments: str, encoding: str = "utf-8", **variables: str) -> str:
    """What a command prints on a terminal, on both streams."""
    out, err = Stream(encoding), Stream(encoding)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        for name, value in variables.items():
            patch.setenv(name, value)
        assert main(arguments) == 0
    return out.text() + err.text()


@pytest.mark.parametrize("columns", ["20", "40", "80", "0", "-1", "abc", ""])
@pytest.mark.parametrize("command", list(describe().walk()), ids=lambda c: " ".join(c.path) or "nnctl")
def test_help_names_every_option_at_every_width(
    command: Command, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = on_a_terminal(monkeypatch, *command.path, "--help", COLUMNS=columns)
    words = re.split(r"[\s,\[\]|]+", text)
    for option in command.options:
        assert set(option.names) <= set(words)
    for below in command.commands:
        assert below.path[-1] in words


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path / "net.yaml"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", "cp1252"])
def test_what_an_encoding_lacks_is_written_out(encoding: str, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in (["train", "net.yaml", "--set", 'name="σ(数)"'], ["explain", "net.yaml"], ["inspect", "net.yaml"]):
        text = on_a_terminal(monkeypatch, *line, encoding=encoding, TERM="dumb", COLUMNS="100")
        assert "dense" in text or "epoch" in text
    text = on_a_terminal(monkeypatch, "inspect", "net.yaml", "--show", "graph", encoding=encoding)
    assert ("∂C/∂dense1.z" if encoding == "utf-8" else "\\u2202C/\\u2202dense1.z") in text


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1", "TERM": "xterm-256color"}, {"TERM": "dumb"}, {"TERM": ""}])
def test_without_colours_there_are_none(variables: dict[str, str], spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_a_terminal(monkeypatch, "explain", "net.yaml", **variables)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", text)
    if variables["TERM"] == "dumb":
        assert "\x1b" not in text


@pytest.mark.parametrize("columns", ["0", "-1", "abc", "1", "5", "20"])
@pytest.mark.parametrize(
    "line",
    [
        ["train", "net.yaml"],
        ["explain", "net.yaml", "--under", "schedule"],
        ["explain", "relu"],
        ["inspect", "net.yaml"],
        ["data", "show", "net.yaml"],
        ["gradcheck", "net.yaml"],
    ],
    ids=lambda line: line[0] + line[1],
)
def test_commands_at_odd_widths(line: list[str], columns: str, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = on_a_terminal(monkeypatch, *line, COLUMNS=columns, TERM="dumb")
    joined = re.sub(r"\s", "", text)
    for word in {"train": ["accuracy"], "inspect": ["dense1"], "data": ["train", "validation"]}.get(line[0], []):
        assert word in joined


def test_the_console_of_strangers_names_is_the_only_one() -> None:
    root = Path(nnctl.__file__).parent
    for path in root.rglob("*.py"):
        if path.parent.name != "screen":
            found = re.findall(r"^.*rich.*import .*\b(?:Console|Progress)\b.*$", path.read_text("utf-8"), re.M)
            assert found == [], f"{path}: nnctl.screen.console has the console that makes names harmless"


def test_objects_for_a_file_reach_it_while_a_bar_is_on_the_terminal(spec: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    line = f"'{sys.executable}' -m nnctl sweep net.yaml --seeds 2 > rows.jsonl"
    text = pexpect.run(f'sh -c "{line}"', encoding="utf-8", timeout=120, env=os.environ | {"TERM": "xterm"})
    rows = [json.loads(row) for row in (spec.parent / "rows.jsonl").read_text().splitlines()]
    assert [row["trial"] for row in rows] == [0, 1]
    assert '"trial"' not in text
