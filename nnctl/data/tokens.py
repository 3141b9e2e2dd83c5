"""Text as tokens: characters or words, and the vocabulary that numbers them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.data.limits import require_memory
from nnctl.data.opening import listed, not_utf8, open_file, unreadable
from nnctl.errors import DataError

TokenKind: TypeAlias = Literal["characters", "words"]

UNKNOWN = "<unknown>"
"""The word that stands for those left out of the vocabulary."""

_BYTES_OF_MEMORY = 32
"""Bytes that a byte of text takes at the most: as characters, as tokens, as inputs and as targets."""
_WORD = re.compile(r"\w+|\s+|[^\w\s]")


def read_text(path: Path) -> str:
    """A text file, or the .txt files of a folder by name, one after the other.

    UTF-8, with or without a byte-order mark; line ends become "\\n". Raises DataError.
    """
    if not path.is_dir():
        return _read(path)
    files = [file for file in listed(path) if file.suffix.lower() == ".txt"]
    if not files:
        raise DataError(f"{path}: the folder has no .txt file")
    return "".join(_read(file) for file in files)


def _read(path: Path) -> str:
    with open_file(path) as file:
        require_memory(_BYTES_OF_MEMORY * os.fstat(file.fileno()).st_size, str(path))
        try:
            content = file.read()
        except OSError as error:
            raise unreadable(path, error) from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line_start = content.rfind(b"\n", 0, error.start) + 1
        line = content.count(b"\n", 0, error.start) + 1
        column = len(content[line_start : error.start].decode("utf-8-sig")) + 1
        raise not_utf8(f"{path}:{line}:{column}", content[:4], error.reason) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def split(text: str, kind: TokenKind) -> Sequence[str]:
    """The tokens of a text; put together again they are the text.

    words: runs of letters and digits, runs of blanks, and every other character by itself.
    """
    return text if kind == "characters" else _WORD.findall(text)


def vocabulary_of(tokens: Iterable[str], most: int | None) -> tuple[str, ...]:
    """The distinct tokens in alphabetical order, or `most` of them, the frequent ones, and UNKNOWN before them."""
    counts = Counter(tokens)
    if most is None or most >= len(counts):
        return tuple(sorted(counts))
    frequent = sorted(counts, key=lambda token: (-counts[token], token))[:most]
    return (UNKNOWN, *sorted(frequent))


def encode(tokens: Sequence[str], vocabulary: Sequence[str]) -> NDArray[np.int64]:
    """The tokens' places in the vocabulary, (n,). Raises DataError on one that is not there, without UNKNOWN."""
    place = {token: index for index, token in enumerate(vocabulary)}
    unknown = place.get(UNKNOWN)
    try:
        numbers = (place[token] if unknown is None else place.get(token, unknown) for token in tokens)
        return np.fromiter(numbers, np.int64, len(tokens))
    except KeyError as error:
        raise DataError(f"the net knows no {error.args[0]!r}: the text that it was trained on has none") from None
