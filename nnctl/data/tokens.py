"""Text as tokens: characters or words, and the vocabulary that numbers them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nnctl.errors import DataError

TokenKind: TypeAlias = Literal["characters", "words"]

UNKNOWN = "<unknown>"
"""The word that stands for those left out of the vocabulary."""

_WORD = re.compile(r"\w+|\s+|[^\w\s]")


def read_text(path: Path) -> str:
    """A text file, or the .txt files of a folder by name, one after the other.

    UTF-8, with or without a byte-order mark; line ends become "\\n". Raises DataError.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".txt")
        if not files:
            raise DataError(f"{path}: the folder has no .txt file")
        return "".join(read_text(file) for file in files)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8: byte {error.start} cannot be read ({error.reason})") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


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
        numbers = [place[token] if unknown is None else place.get(token, unknown) for token in tokens]
    except KeyError as error:
        raise DataError(f"the net knows no {error.args[0]!r}: the text that it was trained on has none") from None
    return np.array(numbers, dtype=np.int64)
