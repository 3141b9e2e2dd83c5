"""`nnctl trace`: in a pipe, on a terminal, a key at a time."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from nnctl.cli import main

SPEC = Path(__file__).parents[2] / "specs" / "xor.yaml"


def test_in_a_pipe_there_is_a_row_for_each_quantity(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(SPEC), "--example", "1"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [row["name"] for row in rows]
    assert {"x", "y", "dense1.z", "dense1.a", "C", "∂C/∂dense2.z", "∂C/∂dense1.weight"} <= set(names)
    assert {row["equation"] for row in rows} == {None, "BP1", "BP2", "BP3", "BP4"}
    update = rows[names.index("dense1.weight")]
    before, change, after = (update[key][1][2] for key in ("before", "change", "values"))
    assert change != 0.0
    assert after == pytest.approx(before + change)


def test_json_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trace", str(SPEC), "--format", "json", "--set", "layers.0.units=40", "--full"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found["equations"]] == ["BP1", "BP2", "BP3", "BP4"]
    assert found["class"] == "0"
    (weights,) = [row for row in found["quantities"] if row["name"] == "dense1.weight"]
    assert len(weights["values"][0]) == 40
    assert [stage["stage"] for stage in found["stages"]] == list(range(1, len(found["stages"]) + 1))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--stepwise",), "--stepwise waits for keys, and needs a terminal"),
        (("--format", "csv"), "there is no such format"),
        (("--format", "table", "--full"), "--full is for JSON"),
        (("--example", "4"), "the train split has 4 examples, 0 to 3"),
        (("--checkpoint", "best"), "a spec has none"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["trace", str(SPEC), *options]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_key_shows_the_next_stage_and_q_ends() -> None:
    pexpect = pytest.importorskip("pexpect")
    line = ["-m", "nnctl", "trace", str(SPEC), "--stepwise"]
    with pexpect.spawn(sys.executable, line, encoding="utf-8", timeout=60, dimensions=(40, 100)) as process:
        process.expect("BP4")
        process.expect("Indices count from 0")
        process.send(" ")
        process.expect("1/9  The example")
        process.send("\r")
        process.expect("2/9  Forward: dense1")
        process.send("x")
        process.send(" ")
        process.expect("3/9  Forward: dense2")
        process.send("q")
        process.expect(pexpect.EOF)
        assert "4/9" not in process.before
    assert process.exitstatus == 0
