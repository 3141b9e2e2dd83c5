"""Memory by liveness: what lives together never overlaps, and what does not may share."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.plan.arena import ALIGNMENT, assign_offsets

lifetimes = st.tuples(st.integers(0, 12), st.integers(0, 12)).map(lambda pair: (min(pair), max(pair)))
buffers = st.lists(st.tuples(lifetimes, st.integers(0, 1000)), max_size=25)


@given(buffers)
def test_buffers_alive_at_once_do_not_overlap(drawn):
    lives, sizes = dict(enumerate(life for life, _ in drawn)), dict(enumerate(size for _, size in drawn))
    offsets, total = assign_offsets(lives, sizes)
    assert offsets.keys() == lives.keys()
    for key, offset in offsets.items():
        assert offset % ALIGNMENT == 0
        assert 0 <= offset <= total - sizes[key]
    for one, other in combinations(lives, 2):
        together = lives[one][0] <= lives[other][1] and lives[other][0] <= lives[one][1]
        apart = offsets[one] + sizes[one] <= offsets[other] or offsets[other] + sizes[other] <= offsets[one]
        assert apart or not together
        # Empty buffers too have a place of their own: two names are never one address.
        assert not together or offsets[one] != offsets[other]


@given(buffers)
def test_the_arena_is_no_larger_than_all_buffers_and_no_smaller_than_any_moment(drawn):
    lives, sizes = dict(enumerate(life for life, _ in drawn)), dict(enumerate(size for _, size in drawn))
    _, total = assign_offsets(lives, sizes)
    padded = {key: max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT) for key, size in sizes.items()}
    assert total <= sum(padded.values())
    for moment in range(13):
        assert total >= sum(padded[k] for k, (start, stop) in lives.items() if start <= moment <= stop)


@pytest.mark.parametrize(
    ("lives", "total"),
    [
        ({}, 0),
        ({"a": (0, 1), "b": (2, 3)}, 128),
        ({"a": (0, 2), "b": (2, 3)}, 256),
        ({"a": (0, 1), "b": (1, 2), "c": (2, 3)}, 256),
    ],
)
def test_small_arenas(lives, total):
    assert assign_offsets(lives, dict.fromkeys(lives, 100))[1] == total


def test_the_same_buffers_get_the_same_places():
    lives, sizes = {"a": (0, 2), "b": (1, 3), "c": (3, 4)}, {"a": 10, "b": 10, "c": 10}
    assert assign_offsets(lives, sizes) == assign_offsets(dict(reversed(lives.items())), sizes)


def lowest_offsets(lives: dict[int, tuple[int, int]], sizes: dict[int, int]) -> dict[int, int]:
    """The rule as it is stated: the largest first, each at the lowest offset where nothing alive lies."""
    offsets: dict[int, int] = {}
    padded = {key: max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT) for key, size in sizes.items()}
    for key in sorted(lives, key=lambda k: (-sizes[k], lives[k])):
        alive = [k for k in offsets if lives[k][0] <= lives[key][1] and lives[key][0] <= lives[k][1]]
        candidates = sorted([0, *(offsets[k] + padded[k] for k in alive)])
        offsets[key] = next(
            c for c in candidates if all(c + padded[key] <= offsets[k] or offsets[k] + padded[k] <= c for k in alive)
        )
    return offsets


@given(buffers)
def test_each_buffer_has_the_lowest_offset_that_is_free(drawn):
    lives, sizes = dict(enumerate(life for life, _ in drawn)), dict(enumerate(size for _, size in drawn))
    assert assign_offsets(lives, sizes)[0] == lowest_offsets(lives, sizes)


def test_sizes_of_deep_nets_have_regions_of_their_own():
    depth = 400
    lives = {f"a{i}": (i, 2 * depth - i) for i in range(depth)} | {f"t{i}": (i, i + 1) for i in range(2 * depth)}
    sizes = {key: 4096 if key.startswith("a") else 100 for key in lives}
    offsets, total = assign_offsets(lives, sizes)
    # All that is kept for the way back, and two of those that are read at once.
    assert total == depth * 4096 + 2 * 128
    for step in range(2 * depth + 1):
        alive = sorted((offsets[k], sizes[k]) for k, (first, last) in lives.items() if first <= step <= last)
        assert all(offset + size <= behind for (offset, size), (behind, _) in pairwise(alive))


def test_regions_are_not_made_where_they_would_cost_memory():
    deep = 600
    # Sizes that are never alive at once take one another's place.
    lives = {i: (2 * i, 2 * i + 1) for i in range(deep)}
    sizes = {i: 1 << (i % 8 + 6) for i in range(deep)}
    assert assign_offsets(lives, sizes)[1] == 1 << 13
