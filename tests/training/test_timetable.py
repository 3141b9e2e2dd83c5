import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.training.timetable import Timetable

tables = st.builds(
    Timetable.of,
    examples=st.integers(1, 40),
    batch_size=st.integers(1, 50) | st.just("full"),
    epochs=st.integers(1, 4),
    every=st.none() | st.integers(1, 100) | st.sampled_from(["1 epoch", "2 epochs", "1 step", "3 steps", "100 steps"]),
)


def single_steps(table: Timetable, most: int) -> list[tuple[int, int, int]]:
    """(step, start, stop) of every single step, however they are cut into chunks."""
    step, steps = 0, []
    while step < table.steps:
        count, start, stop = table.chunk(step, most)
        size = (stop - start) // count
        # Beyond an epoch the next one follows.
        starts = [(start + k * size) % table.examples for k in range(count)]
        steps += [(step + k, first, first + size) for k, first in enumerate(starts)]
        step += count
    return steps


@given(tables, st.integers(1, 60))
def test_every_epoch_sees_each_example_once_however_it_is_cut(table: Timetable, most: int) -> None:
    assert single_steps(table, most) == single_steps(table, 1)
    for epoch in range(table.epochs):
        mine = [s for s in single_steps(table, most) if table.epoch_of(s[0]) == epoch]
        positions = [p for _, start, stop in mine for p in range(start, stop)]
        assert positions == list(range(table.examples))


@given(tables)
def test_evaluations_are_due_when_the_examples_are_seen(table: Timetable) -> None:
    step = 0
    while step < table.steps:
        due = table.next_evaluation(step)
        assert step < due <= table.steps
        if table.every is not None and due < table.steps:
            target = (table.seen(step) // table.every + 1) * table.every
            assert table.seen(due - 1) < target <= table.seen(due)
        step = due


@given(tables, st.integers(1, 60))
def test_a_chunk_ends_at_an_evaluation_at_the_latest(table: Timetable, most: int) -> None:
    step = 0
    while step < table.steps:
        count, _, _ = table.chunk(step, most)
        assert 1 <= count <= most
        assert step + count <= table.next_evaluation(step)
        step += count


def test_epochs_done_is_an_int_where_whole() -> None:
    table = Timetable.of(10, 4, 3, None)
    assert [table.epochs_done(s) for s in range(4)] == [0, 0.4, 0.8, 1]
    assert isinstance(table.epochs_done(3), int)
    assert table.steps == 9


@pytest.mark.parametrize("size", ["full", 10, 1000])
def test_a_batch_is_at_most_the_training_set(size: int | str) -> None:
    table = Timetable.of(10, size, 2, None)  # type: ignore[arg-type]
    assert (table.batch, table.steps) == (10, 2)


@pytest.mark.parametrize(
    ("every", "due"),
    [
        (None, [3, 6, 9, 12, 15]),
        ("1 epoch", [3, 6, 9, 12, 15]),
        ("2 epochs", [6, 12, 15]),
        ("7 epochs", [15]),
        ("1 step", list(range(1, 16))),
        ("4 steps", [4, 8, 12, 15]),
        (8, [2, 5, 7, 10, 12, 14, 15]),
    ],
)
def test_evaluations_by_epochs_by_steps_and_by_examples(every: int | str | None, due: list[int]) -> None:
    """Of 10 examples in batches of 4, 4 and 2, over five epochs."""
    table, found = Timetable.of(10, 4, 5, every), [0]
    while found[-1] < table.steps:
        found.append(table.next_evaluation(found[-1]))
    assert found[1:] == due


def test_an_epoch_is_as_long_as_it_is_without_the_examples_that_fill_no_batch() -> None:
    table = Timetable.of(10, 4, 4, "2 epochs", drop_last=True)
    assert [table.next_evaluation(step) for step in (0, 3, 4)] == [4, 4, 8]
