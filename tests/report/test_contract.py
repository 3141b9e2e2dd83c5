"""Sections as HTML: every part is there, nothing acts, and long tables are cut."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np

from nnctl.figures.figure import Axis, Chart, Curve, Gallery, Picture, Table
from nnctl.report.page import page
from nnctl.report.section import Chapter, Choice, Drawn, Link, Listed, Place, Prose, Section, Text, Tiles

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'\x1b[31m\u202e" + "x" * 10_000
X = np.arange(3.0)
CHART = Chart(HOSTILE, Axis(HOSTILE), Axis(HOSTILE), (Curve(HOSTILE, X, X), Curve("b", X, -X)))
PARTS = (
    Prose(HOSTILE),
    Tiles(((HOSTILE, 1.5), ("n", 12_345))),
    Drawn(CHART, HOSTILE),
    Drawn(Gallery(HOSTILE, (Picture(np.eye(2), HOSTILE),)), wide=True),
    Listed(HOSTILE, Table((HOSTILE, "b"), ((HOSTILE, None), ("c", True)))),
    Text(HOSTILE, HOSTILE),
    Text("folded", HOSTILE, folded=True),
    Listed("links", Table(("a", "b"), ((Link(HOSTILE, "there"), 1),))),
    Place("there", (Prose(HOSTILE),)),
    Choice(HOSTILE, ((HOSTILE, (Drawn(CHART, listed=True),)), ("other", (Prose("behind"),)))),
)
VOID = ("meta", "input", "img", "br")


class Elements(HTMLParser):
    """The elements of a page, and those that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.names: list[str] = []
        self.events: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names += [value or "" for key, value in attrs if key == "id"]
        self.events += [key for key, _ in attrs if key.startswith("on") or key == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    assert found.open == []
    return found


def test_every_part_is_escaped_cut_and_whole() -> None:
    text = page(HOSTILE, HOSTILE, [Chapter(HOSTILE, (Section(HOSTILE, PARTS), Section("two", ())))])
    found = elements(text)
    assert found.tags.count("script") == 1
    assert found.events == []
    assert "img" not in found.tags
    assert len(found.names) == len(set(found.names))
    assert all(link in found.names for link in re.findall('href="#([^"]*)"', text))
    assert 'href="#c0-0-there"' in text
    assert not {"\x1b", "\u202e"} & set(text)
    # But for the two texts that are shown as they are written, 10,000 characters never stand together.
    assert max(map(len, re.findall("x+", text))) > 9_000
    assert sum(len(run) > 4_000 for run in re.findall("x+", text)) == 2


def test_the_policy_allows_the_pages_own_script_and_rules_alone() -> None:
    text = page("t", "l", [])
    policy = re.search('Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_picture_has_a_table_unless_the_section_has_it() -> None:
    def drawn(**kind: bool) -> str:
        return page("t", "l", [Chapter("c", (Section("s", (Drawn(CHART, **kind),)),))])

    assert "<table>" in drawn()
    assert "<table>" not in drawn(listed=True)


def test_a_long_table_is_cut_in_its_middle_and_says_so() -> None:
    rows = tuple((index, f"row {index}") for index in range(1_000))
    text = page("t", "l", [Chapter("c", (Section("s", (Listed("long", Table(("n", "name"), rows)),)),))])
    assert "… 600 rows are left out here …" in text
    assert "row 0<" in text
    assert "row 199<" in text
    assert "row 200<" not in text
    assert "row 999<" in text
