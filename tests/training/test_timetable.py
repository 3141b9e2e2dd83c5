import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnctl.training.timetable import Timetable

tables = st.builds(
    Timetable.of,
    examples=st.integers(1, 40),
    batch_size=st.integers(1, 50) | st.just("full"),
    epochs=st.integers(1, 4),
    every=st.none() | st.integers(1, 100),
)


def single_steps(table: Timetable, most: int) -> list[tuple[int, int, int]]:
    """(step, start, stop) of every single step, however they are cut into chunks."""
    step, steps = 0, []
    while step < table.steps:
        count, start, stop = table.chunk(step, most)
        size = (stop - start) // count
        steps += [(step + k, start + k * size, start + (k + 1) * size) for k in range(count)]
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
