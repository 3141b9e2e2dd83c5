"""The length of chunks: a tenth of a second, whatever one measurement says."""

from __future__ import annotations

import pytest

from nnctl.training.chunk_length import CHUNK_SECONDS, ChunkLength


def test_a_length_begins_with_one_step_and_doubles_at_most() -> None:
    length = ChunkLength()
    found = []
    for _ in range(5):
        found.append(length.most)
        length.took(length.most, length.most * CHUNK_SECONDS / 10)
    assert found == [1, 2, 4, 8, 10]
    length.took(length.most, 0.0)
    assert length.most == 20


def test_what_a_step_takes_at_most_is_where_a_length_begins() -> None:
    length = ChunkLength()
    length.expect(CHUNK_SECONDS / 44.5)
    assert length.most == 44
    length.expect(10 * CHUNK_SECONDS)
    assert length.most == 1


def test_a_slow_chunk_shortens_those_that_follow_and_a_short_one_tells_nothing() -> None:
    length = ChunkLength()
    length.expect(CHUNK_SECONDS / 40)
    length.took(3, CHUNK_SECONDS)
    assert length.most == 40
    length.took(30, 4 * CHUNK_SECONDS)
    assert length.most == 7


@pytest.mark.parametrize("seconds", [0.0, 10.0])
def test_a_fixed_length_stays(seconds: float) -> None:
    length = ChunkLength(7)
    length.expect(1e-6)
    length.took(7, seconds)
    assert length.most == 7
