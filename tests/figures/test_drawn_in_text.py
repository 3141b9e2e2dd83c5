"""Figures on a terminal: never wider than it is, in its characters, and where the numbers are."""

from __future__ import annotations

import numpy as np
import pytest
from streams import Stream

from nnctl.figures.blocks import resized
from nnctl.figures.dots import Dots
from nnctl.figures.figure import Axis, Bars, Chart, Curve, Gallery, HeatMap, Picture
from nnctl.figures.labels import fitted
from nnctl.figures.terminal import figure_lines, is_plain, print_figure
from nnctl.screen.console import Console
from tests.figures.test_svg import FIGURES

EIGHTS = np.arange(8, dtype=np.float64)


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("width", [1, 7, 20, 40, 80, 200])
@pytest.mark.parametrize("name", FIGURES)
def test_no_line_is_wider_than_the_terminal_and_nothing_in_it_acts(name: str, width: int, plain: bool) -> None:
    for height in (1, 4, 20):
        lines = figure_lines(FIGURES[name], width, height, plain=plain)
        assert max(line.cell_len for line in lines) <= width
        assert not {"\x1b", "\u202e", "\n"} & set("".join(line.plain for line in lines))
        assert len(lines) <= max(height, 10) or not isinstance(FIGURES[name], Chart)


def test_a_chart_has_the_height_that_it_is_given() -> None:
    chart = Chart("cost", Axis("epoch"), Axis("cost"), (Curve("a", EIGHTS, EIGHTS), Curve("b", EIGHTS, -EIGHTS)))
    for height in (9, 14, 30):
        assert len(figure_lines(chart, 60, height, plain=True)) == height


def test_a_line_goes_from_corner_to_corner() -> None:
    chart = Chart("", Axis(), Axis(), (Curve("a", EIGHTS, EIGHTS * 10),))
    body = [line.plain.partition("|")[2] for line in figure_lines(chart, 30, 12, plain=True)[:-2]]
    assert body[0].endswith("*")
    assert body[-1].startswith("*")
    columns = [text.index("*") for text in body]
    assert columns == sorted(columns, reverse=True)


def test_numbers_stand_where_their_values_are() -> None:
    chart = Chart("", Axis(), Axis(), (Curve("a", EIGHTS, np.linspace(0, 100, 8)),))
    lines = [line.plain for line in figure_lines(chart, 40, 13, plain=True)]
    assert lines[0].startswith("100 |")
    assert lines[5].startswith(" 50 |")
    assert lines[10].startswith("  0 |")


def test_braille_has_a_bit_for_each_dot() -> None:
    dots = Dots(1, 1, plain=False)
    for number, (x, y) in enumerate([(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]):
        dots.mark(np.array([x]), np.array([y]), 0)
        assert dots.texts()[0].plain == chr(0x2800 + 2 ** (number + 1) - 1)


def test_a_gap_is_left_where_a_value_is_missing_and_a_point_alone_is_drawn() -> None:
    y = np.array([0.0, np.nan, 0.0, np.inf, 0.0, 0.0])
    chart = Chart("", Axis(), Axis(), (Curve("a", np.arange(6.0), y),))
    drawn = next(line.plain for line in figure_lines(chart, 60, 6, plain=True) if "*" in line.plain)
    assert [len(part) > 1 for part in drawn.split("|")[1].split()] == [False, False, True]


def test_a_peak_among_a_hundred_thousand_points_is_drawn() -> None:
    y = np.zeros(100_000)
    y[54_321] = 7.0
    top = figure_lines(Chart("", Axis(), Axis(), (Curve("a", np.arange(1e5), y),)), 60, 12, plain=True)[0]
    assert top.plain.count("*") == 1


def test_bars_of_several_layers_stand_beside_one_another_on_both_sides_of_zero() -> None:
    axis = Axis(categories=("p", "q"))
    chart = Chart("", axis, Axis(), (Bars("a", np.array([2.0, -2.0])), Bars("b", np.array([1.0, 2.0]))))
    body = [line.plain.partition("|")[2] for line in figure_lines(chart, 40, 14, plain=True)[1:-2]]
    assert set(body[0].split()[0]) == {"*"}
    assert set(body[0].split()[1]) == {"o"}
    assert set(body[-1].split()[0]) == {"*"}


def test_a_heat_map_in_colours_has_two_rows_in_a_line() -> None:
    figure = HeatMap("", Axis(), Axis(), np.array([[0.0, 1.0], [1.0, 0.0]]))
    first = figure_lines(figure, 4, 4, plain=False)[0]
    assert first.plain == "0 ▀▀"
    least, most = "#f7fbff", "#08306b"
    assert [str(span.style) for span in first.spans] == [f"{least} on {most}", f"{most} on {least}"]


def test_a_heat_map_shows_its_numbers_where_they_fit() -> None:
    names = Axis(categories=("cat", "dog"))
    figure = HeatMap("", names, names, np.array([[90.0, 2.0], [3.0, 85.0]]), shown=True)
    assert figure_lines(figure, 40, plain=True)[0].plain.split() == ["cat", "90", "2"]
    assert "90" not in figure_lines(figure, 8, plain=True)[0].plain


def test_a_picture_is_as_bright_as_its_pixels() -> None:
    picture = Gallery("", (Picture(np.array([[1.0, 0.0], [1.0, 0.0]])),))
    assert figure_lines(picture, 2, 1, plain=True)[0].plain.rstrip() == "@"


def test_pixels_that_fall_together_are_their_mean() -> None:
    values = np.arange(16.0).reshape(4, 4)
    assert resized(values, 2, 2).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert resized(np.array([[1.0, 2.0]]), 2, 4).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]


@pytest.mark.parametrize(("text", "columns", "shown"), [("数数数", 4, "数 ~"), ("abc", 3, "abc"), ("abcd", 0, "")])
def test_a_name_is_cut_to_its_columns(text: str, columns: int, shown: str) -> None:
    assert fitted(text, columns) == shown


@pytest.mark.parametrize(
    ("encoding", "variables", "plain"),
    [
        ("utf-8", {"TERM": "xterm-256color"}, False),
        ("ascii", {"TERM": "xterm-256color"}, True),
        ("cp437", {"TERM": "xterm-256color"}, True),
        ("utf-8", {"TERM": "dumb"}, True),
        ("utf-8", {"TERM": "linux"}, True),
        ("utf-8", {"TERM": "xterm", "NO_COLOR": "1"}, True),
    ],
)
def test_a_terminal_gets_the_characters_that_it_has(
    encoding: str, variables: dict[str, str], plain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    stream = Stream(encoding)
    console = Console(stream, 60)
    assert is_plain(console) is plain
    print_figure(FIGURES["curves"], console)
    assert ("⠤" in stream.text() or "⣀" in stream.text()) is not plain
