"""Figures as SVG: whole XML whatever is in them, and nothing of a stranger's text acts."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from nnctl.figures.drawing import extent
from nnctl.figures.figure import (
    Axis,
    BarList,
    Bars,
    Box,
    Chart,
    Curve,
    Diagram,
    Figure,
    Gallery,
    HeatMap,
    Marks,
    Picture,
    Plane,
    Points,
    Unit,
    Units,
    table_of,
)
from nnctl.figures.svg import svg_of

HOSTILE = '<script>alert(1)</script>\x1b[31m"&\u202e' + "x" * 10_000
X = np.array([0.0, 1.0, 2.0, np.nan, 4.0])
AXIS = Axis(HOSTILE)
FIGURES: dict[str, Figure] = {
    "curves": Chart(HOSTILE, AXIS, AXIS, (Curve(HOSTILE, X, X**2, X**2 - 1, X**2 + 1), Curve("b", X, -X, dashed=True))),
    "logarithmic": Chart("t", Axis(log=True), Axis(log=True), (Curve("a", X, X - 1),)),
    "no points": Chart("t", AXIS, AXIS, (Curve("a", np.empty(0), np.empty(0)),)),
    "nothing finite": Chart("t", AXIS, AXIS, (Curve("a", np.full(5, np.nan), np.full(5, np.inf)),)),
    "one value": Chart("t", AXIS, AXIS, (Points("a", np.ones(1), np.ones(1), (HOSTILE,)),)),
    "bars": Chart("t", Axis(categories=(HOSTILE, "b")), AXIS, (Bars("a", np.array([1.0, -2.0])),)),
    "heat map": HeatMap(HOSTILE, AXIS, Axis(categories=(HOSTILE, "b")), np.array([[1.0, np.nan], [-1, 2]]), shown=True),
    "diagram": Diagram(
        HOSTILE, (Box(HOSTILE, (HOSTILE,)), Box("b"), Box("c", kind=9)), ((0, 1), (0, 2)), (HOSTILE, "b")
    ),
    "no boxes": Diagram("t", (), ()),
    "bar list": BarList(HOSTILE, HOSTILE, (HOSTILE, "b", "c"), np.array([3.0, np.nan, -1.0])),
    "no bars": BarList("t", "v", (), np.empty(0)),
    "plane": Plane(
        HOSTILE,
        AXIS,
        AXIS,
        (0.0, 1.0),
        (0.0, 1.0),
        np.array([[1.0, np.nan], [-1, 2]]),
        contours=(0.5,),
        marks=Marks(np.array([0.2, np.nan]), np.array([0.2, 0.4]), np.array([1.0, 2.0])),
    ),
    "units": Units(
        HOSTILE,
        (HOSTILE, "b"),
        ((Unit(HOSTILE, HOSTILE), Unit()), (Unit("1"),)),
        (np.array([[0.5], [np.nan]]),),
    ),
    "plane of classes": Plane(
        HOSTILE,
        AXIS,
        AXIS,
        (0.0, 1.0),
        (0.0, 1.0),
        np.eye(4).reshape(2, 2, 4),
        (HOSTILE, "b", "c", "d"),
        Marks(np.array([0.2]), np.array([0.2]), np.array([3.0])),
    ),
    "pictures": Gallery(HOSTILE, (Picture(np.eye(3), HOSTILE), Picture(np.ones((2, 4, 3))))),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("alone", [False, True])
def test_every_figure_is_whole_xml_of_bounded_length(name: str, alone: bool) -> None:
    text = svg_of(FIGURES[name], alone=alone)
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(text) < 20_000
    assert "script" not in {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not {"\x1b", "\u202e"} & set(text)
    assert "nan" not in text.replace("data:image", "")


def test_names_of_bars_and_rows_have_the_room_that_there_is() -> None:
    names = ("age", "Stadt/Größe=Bad Homburg v. d. Höhe", "W" * 90)
    texts = re.findall(
        r'<text x="([0-9.]+)"[^>]*text-anchor="end">([^<]*)<', svg_of(BarList("t", "v", names, np.ones(3)))
    )
    assert [text for _, text in texts[:2]] == ["age", "Stadt/Größe=Bad Homb…. d. Höhe"]
    assert all(extent(text) <= float(end) for end, text in texts)
    short = re.search(r'<text x="([0-9.]+)"[^>]*>age<', svg_of(BarList("t", "v", ("age",), np.ones(1))))
    assert short
    assert float(short[1]) < 60
    assert len(texts[1][1]) > 25
    rows = HeatMap("t", Axis("unit"), Axis("from unit", categories=("0", "32")), np.ones((2, 32)))
    assert "rotate(-90)" not in svg_of(rows)
    assert "from unit</text>" in svg_of(dataclasses.replace(rows, values=np.ones((12, 32)), y=Axis("from unit")))


def test_a_curve_passes_through_its_points_and_breaks_where_one_is_missing() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0])
    text = svg_of(Chart("", Axis(), Axis(), (Curve("a", x, np.array([0.0, np.nan, 1.0, 0.0])),)))
    path = next(e for e in ElementTree.fromstring(text).iter() if e.get("class") == "curve").get("d", "")
    assert path.count("M") == 2
    # The whole width and height of the axes; the first point, which no line leads to, is drawn as one.
    assert path.startswith("M38.0 260.0h0M348.7 16.0")
    assert path.endswith("L504.0 260.0")


def test_the_table_behind_a_figure_has_its_numbers() -> None:
    chart = Chart("t", Axis("epoch"), Axis("cost"), (Curve("a", np.array([1.0, 2.0]), np.array([3.0, 4.0])),))
    assert table_of(chart).rows == (("a", 1.0, 3.0), ("a", 2.0, 4.0))
    assert table_of(chart).columns == ("", "epoch", "cost")
    grid = HeatMap("t", Axis(categories=("p", "q")), Axis(categories=("r",)), np.array([[1.0, 2.0]]))
    assert table_of(grid).rows == (("r", 1.0, 2.0),)
