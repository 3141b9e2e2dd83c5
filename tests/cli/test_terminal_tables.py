"""Tables on terminals of any width: every class, column and number is there."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import numpy as np
import pytest

from nnctl.cli.confusion import print_confusion
from nnctl.cli.tables import Column, print_table
from nnctl.screen.characters import width_of

WIDTHS = pytest.mark.parametrize("width", [20, 40, 80])


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a function prints on a terminal of a width."""

    def run(width: int, function: Callable[..., None], *arguments: object) -> str:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("TERM", "dumb")
        function(*arguments)
        return capsys.readouterr().out

    return run


class Unread(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_reader_who_has_gone_is_told_of_as_by_all_that_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Unread())
    with pytest.raises(BrokenPipeError):
        print_table([Column("name", ["one"])])


def confusion(classes: int) -> list[list[int]]:
    """Every class has examples, and most are taken for some other."""
    rng = np.random.default_rng(0)
    return (rng.integers(0, 2, (classes, classes)) * rng.integers(1, 10_000, (classes, classes))).tolist()


def numbers(text: str) -> list[str]:
    return sorted(word.strip(",") for word in text.split() if word.strip(",").replace(",", "").isdigit())


@pytest.mark.slow
@WIDTHS
@pytest.mark.parametrize(
    "name", ["{:d}", "class{:02d}", "a rather long name of class {:02d}", "数字{:d}", "e\u0301{:d}"]
)
@pytest.mark.parametrize("classes", [2, 10, 30, 40])
def test_a_confusion_matrix_has_every_class_and_every_count(
    classes: int, name: str, width: int, printed: Callable[..., str]
) -> None:
    names = [name.format(i) for i in range(classes)]
    counts = confusion(classes)
    text = printed(width, print_confusion, "a run", names, counts)
    assert "…" not in text
    found = numbers(text)
    for row in counts:
        assert all(n == 0 or f"{n:,}" in found for n in row)
    for word in {word for one in names for word in one.split() if width_of(word) <= 16}:
        assert word in text
    assert all(width_of(line) <= width for line in text.split("\n")[1:]) or width == 20


@pytest.mark.slow
@WIDTHS
@pytest.mark.parametrize("classes", [41, 1000])
def test_of_many_classes_each_has_its_row(classes: int, width: int, printed: Callable[..., str]) -> None:
    names = [f"c{i:04d}" for i in range(classes)]
    counts = confusion(classes)
    text = printed(width, print_confusion, "a run", names, counts)
    assert all(name in text for name in names)
    found = set(numbers(text))
    for own, row in enumerate(counts):
        wrong = sorted((n for c, n in enumerate(row) if n and c != own), reverse=True)
        assert {f"{sum(row):,}", f"{row[own]:,}", *(f"{n:,}" for n in wrong[:10])} <= found
        if len(wrong) > 10:
            assert f"{sum(wrong[10:]):,}" in found
    assert len(text) < 1_200 * classes


@WIDTHS
def test_a_table_of_many_columns_is_printed_in_blocks(width: int, printed: Callable[..., str]) -> None:
    heads = [f"validation measure{i:02d}" for i in range(40)]
    rows = 3
    values = [[(1 + row) * 1.0001e-12 * (1 + i) for row in range(rows)] for i in range(40)]
    columns = [Column("layer", ["dense1", "dense2", "out"]), *map(Column, heads, values)]
    text = printed(width, print_table, columns, "a title")
    words = text.split()
    for i, column in enumerate(values):
        assert any(f"measure{i:02d}" in word for word in words)
        assert all(f"{value:.5g}" in words for value in column)
    assert "a title" in text
    assert all(len(line) <= width for line in text.split("\n")) or width == 20


@WIDTHS
def test_rows_that_the_first_column_does_not_tell_apart_are_numbered(width: int, printed: Callable[..., str]) -> None:
    columns = [
        Column("activation", ["tanh", "tanh"]),
        *(Column(f"setting{i}", ["long-words", "x" * 12]) for i in range(9)),
    ]
    text = printed(width, print_table, columns)
    assert all(f"setting{i}" in text for i in range(9))
    assert text.count("long-words") == 9
    if width > 20:
        assert "row" in text


def test_columns_of_wide_characters_stay_in_line(printed: Callable[..., str]) -> None:
    text = printed(40, print_table, [Column("名", ["数字", "ab", "e\u0301"]), Column("n", [1, 22, 333])])
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    assert len({width_of(line) for line in lines if line[-1].isdigit()}) == 1


def test_nothing_floods(printed: Callable[..., str]) -> None:
    many = {f"class{i}": i for i in range(100_000)}
    columns = [
        Column("split", ["train"]),
        Column("text", ["x" * 1_000_000]),
        Column("x" * 1_000_000, ["y"]),
        Column("classes", [many]),
        Column("list", [list(range(100_000))]),
        *(Column(f"column{i}", [0.5]) for i in range(100_000)),
    ]
    text = printed(80, print_table, columns)
    assert len(text) < 60_000
    assert "… and 99,705 more columns" in text
    assert "999,000 characters" in text.replace("\n", " ") or "999,000" in text
    assert text.count("99,700") == 2


@pytest.mark.parametrize("value", ["0", "-1", "abc", "", "1", "100000"])
def test_odd_numbers_of_columns(
    value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", value)
    monkeypatch.setenv("TERM", "dumb")
    print_table([Column("layer", ["dense1", "dense2"]), Column("number", [1.5, 12_345])])
    text = capsys.readouterr().out
    assert all(word in text for word in ("dense1", "dense2", "1.5", "12,345"))


@pytest.mark.parametrize("width", [40, 80])
def test_names_in_front_of_blocks_are_whole_where_they_leave_room(width: int, printed: Callable[..., str]) -> None:
    text = printed(width, print_confusion, "a run", [f"class-{i:02d}" for i in range(30)], confusion(30))
    for number in range(30):
        assert f" {number} class-{number:02d} " in text
