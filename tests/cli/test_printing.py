"""Rows on stdout: JSON Lines in a pipe, a table that shows every name as it is on a terminal."""

from __future__ import annotations

import json
import sys

import pytest

from nnctl.cli.printing import print_rows
from nnctl.cli.tables import cell

ROWS = [
    {"layers[name=left].units": 24, "learning_rate": 0.003, "verdict": "PASS", "note": ":smile: [bold]"},
    {"layers[name=left].units": 48, "learning_rate": 0.03, "verdict": "FAIL", "note": None},
]


def test_a_pipe_gets_objects(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS


def test_a_terminal_gets_a_table_with_names_as_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")
    print_rows(ROWS)
    text = capsys.readouterr().out
    for word in ("layers[name=left].units", "learning rate", "PASS", "FAIL", ":smile: [bold]", "0.03"):
        assert word in text


def test_nothing_is_printed_of_no_rows(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_rows([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (True, "yes"), (0.123456789, "0.12346"), (12345, "12,345"), ((1, 2.5), "1, 2.5"), ({"a": 3}, "a:3")],
)
def test_a_value_as_people_read_it(value: object, text: str) -> None:
    assert cell(value) == text
