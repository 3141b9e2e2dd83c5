"""Names and cells of data in messages: cut, for data may hold anything, and the nearest to one that is not there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

from nnctl.screen import characters

_MOST_CHARACTERS = 60
_MOST_NAMES = 20
_PLAIN_KEY = re.compile(r"[^\W\d][\w .$%()/+-]*")
_NO_TEXTS = frozenset({"true", "false", "null"})
_MOST_LOOKED_THROUGH = 1000
"""Names among which the one that was meant is sought: the search compares letter by letter."""


def cut(text: str) -> str:
    """A name or a cell, its middle left out where it is long."""
    return characters.cut(text, _MOST_CHARACTERS)


def some(names: Sequence[str]) -> str:
    """Names in a row, the first of them where there are many; "none" where there is none."""
    return ", ".join(map(cut, names[:_MOST_NAMES])) + (", …" if len(names) > _MOST_NAMES else "") or "none"


def key(name: str) -> str:
    """A name as a spec has it for a key: in quotes where YAML would read it otherwise."""
    plain = _PLAIN_KEY.fullmatch(name) is not None and not name.endswith(" ") and name.lower() not in _NO_TEXTS
    return name if plain else json.dumps(name, ensure_ascii=False)


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that may have been meant; None where none is near."""
    if len(name) > _MOST_CHARACTERS:
        return None
    near = get_close_matches(name, [n for n in islice(names, _MOST_LOOKED_THROUGH) if len(n) <= _MOST_CHARACTERS], 1)
    return near[0] if near else None
