"""The page: one HTML file that needs nothing else, neither a network nor a script to show its pictures."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from nnctl.figures.svg import STYLE
from nnctl.report.markup import Markup
from nnctl.report.section import Chapter
from nnctl.screen.characters import word

_HERE = Path(__file__).parent


def page(title: str, lead: str, chapters: Sequence[Chapter]) -> str:
    """The text of a page with a title, a line below it, and chapters."""
    style = STYLE + (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    # Nothing runs and nothing is loaded but what stands here, whatever a stranger's text would like.
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{_words(title)}</title><style>{style}</style></head><body>"
    )
    return head + "".join(_body(title, lead, chapters)) + f"<script>{script}</script></body></html>\n"


def _body(title: str, lead: str, chapters: Sequence[Chapter]) -> Iterator[str]:
    yield f"<header><h1>{_words(title)}</h1><p>{_words(lead, 400)}</p></header>"
    yield '<nav aria-label="Contents"><ul>'
    for at, chapter in enumerate(chapters):
        yield f'<li><a href="#c{at}">{_words(chapter.title, 60)}</a><ul>'
        for place, section in enumerate(chapter.sections):
            yield f'<li><a href="#c{at}-{place}">{_words(section.title, 60)}</a></li>'
        yield "</ul></li>"
    yield "</ul></nav><main>"
    markup = Markup()
    for at, chapter in enumerate(chapters):
        yield f'<div class="chapter" id="c{at}"><h2>{_words(chapter.title)}</h2>'
        for place, section in enumerate(chapter.sections):
            yield from markup.section(section, f"c{at}-{place}")
        yield "</div>"
    yield "</main>"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _words(text: str, limit: int = 120) -> str:
    return escape(word(text, limit))
