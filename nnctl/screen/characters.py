r"""Characters that would act on a terminal instead of being shown, and text without them.

Names of classes, layers and files, values and messages come from strangers' specs and data. An escape
sequence in one could move the cursor, rename the window or fill the clipboard; a bidirectional override
shows a name in another order than it has; a bare carriage return lets a line hide what stands before it.
For people each such character is shown as Python writes it (`\x1b`, `\u202e`); in JSON it is escaped,
so that the value stays exact.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

_ACTING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but for tab and newline, delete, C1
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidirectional, invisible, new lines
    "\ud800-\udfff\U000e0000-\U000e007f"  # halves of a pair, which no stream can encode; invisible tags
)
_FALSE_BLANK = re.compile("[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]")
_IN_TEXT = re.compile(f"[{_ACTING}]")
_IN_A_WORD = re.compile(f"[{_ACTING}\t\n]")

LINE = 1_000
"""Characters of a message's line; what is longer is cut in its middle."""
LINES = 200
"""Lines of a message."""
WORD = 200
"""Characters of a name within a line or a table."""


def harmless(text: str) -> str:
    """The text with every character that acts written out; its newlines and tabs stay."""
    return _IN_TEXT.sub(_written_out, text)


def word(text: str, limit: int = WORD) -> str:
    """The text as part of a line: nothing in it acts, it has no newline or tab, it is at most so long."""
    return _IN_A_WORD.sub(_written_out, cut(text, limit))


def message(text: str) -> str:
    """The text as a message: nothing in it acts, its lines and their number are bounded, and what is cut is said."""
    lines = text.split("\n", LINES)
    rest = lines[LINES:]
    shown = [harmless(cut(line, LINE)) for line in lines[:LINES]]
    if rest:
        left = rest[0].count("\n") + 1
        shown.append(f"… and {left:,} more line{'' if left == 1 else 's'}")
    return "\n".join(shown)


def cut(text: str, limit: int) -> str:
    """The text, its middle left out where it has more than `limit` characters, and how many those are."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    tail = limit - head
    return f"{text[:head]}…[{len(text) - limit:,} characters]…{text[-tail:]}"


def false_blank(text: str) -> tuple[int, str] | None:
    """(index, name) of the first character that looks like a blank, as those of web pages and word processors do."""
    found = None if text.isascii() else _FALSE_BLANK.search(text)
    if found is None:
        return None
    from unicodedata import name

    return found.start(), f"{name(found[0]).lower()} (U+{ord(found[0]):04X})"


def width_of(text: str) -> int:
    """The columns that a text takes on a terminal: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def json_line(value: Any, *, ascii_only: bool = False) -> str:
    """The value as JSON in one line; whatever acts on a terminal is escaped, so that it is shown and stays exact.

    A number that is not finite is null: JSON has no word for it.
    """
    text = json.dumps(_finite(value), ensure_ascii=ascii_only, allow_nan=False)
    return _IN_TEXT.sub(_in_json, text)


def _finite(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _finite(item) for key, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def _written_out(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")


def _in_json(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if match[0] != "\x7f" else "\\u007f"
