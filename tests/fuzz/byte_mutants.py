"""Mutants of files: bytes turned, left out, said twice, put elsewhere; numbers of headers made extreme."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, (1 << 63) - 1, (1 << 64) - 1)
"""Lengths and counts that headers must not be trusted with."""
HEAD = 256
"""Bytes at the beginning of a file, and at its end, where headers and directories lie."""


def _place(draw: st.DrawFn, size: int) -> int:
    """A place in a file, half of the time where its headers are."""
    where = draw(st.sampled_from(("anywhere", "head", "tail")))
    first, last = {
        "anywhere": (0, size),
        "head": (0, min(HEAD, size)),
        "tail": (max(0, size - HEAD), size),
    }[where]
    return draw(st.integers(first, last))


def _changed(draw: st.DrawFn, content: bytes, others: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """The content with one change."""
    place = _place(draw, len(content))
    end = min(len(content), place + draw(st.sampled_from((1, 2, 4, 8, 16, 64, 1024))))
    match draw(st.sampled_from(("turn", "cut", "drop", "double", "extreme", "word", "graft", "repeat"))):
        case "turn":
            bit = 1 << draw(st.integers(0, 7))
            return content[:place] + bytes(b ^ bit for b in content[place : place + 1]) + content[place + 1 :]
        case "cut":
            return content[:place]
        case "drop":
            return content[:place] + content[end:]
        case "double":
            return content[:end] + content[place:end] + content[end:]
        case "extreme":
            width = draw(st.sampled_from((1, 2, 4, 8)))
            order = draw(st.sampled_from(("big", "little")))
            number = draw(st.sampled_from(EXTREMES)) % (1 << 8 * width)
            return content[:place] + number.to_bytes(width, order) + content[place + width :]
        case "word":
            return content[:place] + draw(st.sampled_from(words)) + content[place:]
        case "graft":
            other = draw(st.sampled_from(others))
            return content[:place] + other[_place(draw, len(other)) :]
        case _:
            return content[:place] + content[place:end] * draw(st.sampled_from((2, 100, 10_000))) + content[end:]


@st.composite
def mutants(draw: st.DrawFn, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """One of the seeds after one to four changes. words: of the format, put in as they are."""
    content = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        content = _changed(draw, content, seeds, words)
    return content
