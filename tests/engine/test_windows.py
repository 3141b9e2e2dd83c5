"""Windows made ahead: never over what is read, in time, with their errors, and gone at the end."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from nnctl.backends.registry import reference_backend
from nnctl.data.batches import FixedOrder, SeededOrder
from nnctl.engine.chunks import Chunk, PlacedExamples, PlacedOrder, Reader
from nnctl.engine.readers import ResidentReader
from nnctl.engine.windows import WindowReader

SIZE, EXAMPLES, EPOCHS = 4, 10, 3
"""Windows of 4, 4 and 2 examples."""


class Source:
    """Examples that say where they come from, each window made when the test lets it."""

    examples, size = EXAMPLES, SIZE

    def __init__(self) -> None:
        self.let = {number: threading.Event() for number in range(3 * EPOCHS)}
        self.made: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.broken: dict[int, Exception] = {}

    def window(self, epoch: int, first: int) -> tuple[Any, Any, None]:
        number = 3 * epoch + first // SIZE
        assert self.let[number].wait(10)
        self.threads.add(threading.current_thread())
        self.made.append(number)
        if number in self.broken:
            raise self.broken[number]
        positions = np.arange(first, min(first + SIZE, EXAMPLES))
        return 100 * epoch + positions, -positions, None

    def all(self) -> Source:
        for event in self.let.values():
            event.set()
        return self


def in_order(rows: int) -> PlacedOrder:
    return PlacedOrder(reference_backend(), FixedOrder(np.arange(rows)))


class Ring:
    """Room for two windows, and a note of every write."""

    def __init__(self) -> None:
        arrays = {"data.inputs": np.zeros(2 * SIZE, int), "data.targets": np.zeros(2 * SIZE, int)}
        self.examples = PlacedExamples(2 * SIZE, arrays)
        self.writes: list[tuple[int, int]] = []
        self.written = threading.Condition()

    def write(self, inputs: Any, targets: Any, weights: None, first: int) -> None:
        for array, values in zip(self.examples.arrays.values(), (inputs, targets)):
            array[first : first + len(values)] = values
        with self.written:
            self.writes.append((first, len(inputs)))
            self.written.notify_all()

    def wait_for(self, count: int) -> None:
        with self.written:
            assert self.written.wait_for(lambda: len(self.writes) >= count, 10)

    def reader(self, source: Source, ahead: bool = True) -> WindowReader:
        return WindowReader(self.examples, source, self.write, in_order(2 * SIZE), epochs=EPOCHS, ahead=ahead)


def read(chunk: Chunk) -> list[int]:
    found: list[int] = chunk.examples.arrays["data.inputs"][chunk.indices.reshape(-1)].tolist()
    return found


def helpers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("nnctl-windows")]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Any:
    yield
    assert helpers() == []


@pytest.mark.parametrize("ahead", [True, False])
def test_all_windows_in_turn(ahead: bool) -> None:
    ring, source = Ring(), Source().all()
    reader = ring.reader(source, ahead)
    for epoch in range(EPOCHS):
        for first, stop in ((0, 2), (2, 4), (4, 8), (8, 10)):
            reader.advance_to(epoch, first)
            chunk = reader.chunk(epoch, first, stop, 1)
            assert read(chunk) == [100 * epoch + position for position in range(first, stop)]
            assert chunk.window == 3 * epoch + first // SIZE
    reader.close()
    assert source.made == list(range(9))
    assert (threading.current_thread() in source.threads) is not ahead


def test_the_next_window_is_made_while_one_is_read_and_leaves_that_alone() -> None:
    ring, source = Ring(), Source()
    reader = ring.reader(source)
    source.let[0].set()
    reader.advance_to(0, 0)
    chunk = reader.chunk(0, 0, 4, 2)
    # The chunk "runs" from here on. Whatever is let, no more than the next window is made.
    source.all()
    ring.wait_for(2)
    assert read(chunk) == [0, 1, 2, 3]
    assert ring.writes == [(0, 4), (4, 4)]
    reader.advance_to(0, 2)
    assert source.made == [0, 1]
    # With the last of its chunks done the first window may go, and only then it does.
    reader.advance_to(0, 4)
    second = reader.chunk(0, 4, 8, 1)
    ring.wait_for(3)
    assert read(second) == [4, 5, 6, 7]
    assert ring.writes[2] == (0, 2)
    reader.close()
    assert source.made == [0, 1, 2]


def test_the_windows_of_the_last_epoch_are_the_last() -> None:
    ring, source = Ring(), Source().all()
    reader = ring.reader(source)
    reader.advance_to(2, 8)
    reader.chunk(2, 8, 10, 1)
    reader.close()
    assert source.made == [8]


@pytest.mark.parametrize("fixed", [True, False])
def test_an_order_is_put_there_once_an_epoch(fixed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, order = reference_backend(), FixedOrder(np.arange(8)[::-1]) if fixed else SeededOrder(3, 8, True)
    puts: list[NDArray[Any]] = []
    for name, put in (("to_device", backend.to_device), ("copy_into", backend.copy_into)):
        monkeypatch.setattr(backend, name, lambda *given, put=put: puts.append(given[-1]) or put(*given))
    reader = ResidentReader(Ring().examples, PlacedOrder(backend, order))
    for epoch in (0, 1, 2, 1):
        for first, stop, steps in ((0, 2, 1), (2, 6, 2), (6, 8, 1)):
            reader.advance_to(epoch, first)
            chunk = reader.chunk(epoch, first, stop, steps)
            np.testing.assert_array_equal(chunk.indices, order.of(epoch)[first:stop].reshape(steps, 2))
            np.testing.assert_array_equal(chunk.entries, chunk.indices)
    assert len(puts) == (1 if fixed else 4)
    with pytest.raises(ValueError, match="the order of epoch 2 is asked for, and that of 1 is there"):
        reader.chunk(2, 0, 2, 1)


@pytest.mark.parametrize("resident", [True, False])
def test_asking_writes_nothing_and_answers_the_same_again(resident: bool) -> None:
    ring, source = Ring(), Source().all()
    reader: Reader = ResidentReader(ring.examples, in_order(8)) if resident else ring.reader(source)
    reader.advance_to(0, 0)
    first = reader.chunk(0, 0, 4, 2)
    if not resident:
        ring.wait_for(2)
    before = {name: array.copy() for name, array in ring.examples.arrays.items()}
    writes = list(ring.writes)
    assert reader.within(2) == reader.within(2)
    again = reader.chunk(0, 0, 4, 2)
    np.testing.assert_array_equal(again.indices, first.indices)
    assert (again.examples, again.window) == (first.examples, first.window)
    assert ring.writes == writes
    for name, array in ring.examples.arrays.items():
        np.testing.assert_array_equal(array, before[name])
    reader.close()


def test_beginning_elsewhere_makes_the_same() -> None:
    """Within a window, two windows back, or on from where both are made already."""
    ring, source = Ring(), Source().all()
    reader = ring.reader(source)
    for epoch, first, stop in ((1, 6, 8), (0, 4, 6), (0, 0, 1), (2, 5, 8), (2, 1, 2), (2, 8, 10)):
        reader.advance_to(epoch, first)
        assert read(reader.chunk(epoch, first, stop, 1)) == [100 * epoch + p for p in range(first, stop)]
    reader.close()


class BrokenError(Exception):
    pass


@pytest.mark.parametrize("ahead", [True, False])
def test_an_error_comes_up_where_its_window_is_read(ahead: bool) -> None:
    ring, source = Ring(), Source().all()
    source.broken[1] = BrokenError("window 1")
    reader = ring.reader(source, ahead)
    reader.advance_to(0, 0)
    assert read(reader.chunk(0, 0, 4, 1)) == [0, 1, 2, 3]

    def go_on() -> None:
        reader.advance_to(0, 4)
        reader.chunk(0, 4, 8, 1)

    with pytest.raises(BrokenError, match="window 1"):
        go_on()
    reader.close()


def test_closing_waits_for_no_window_that_is_not_begun() -> None:
    ring, source = Ring(), Source()
    reader = ring.reader(source)
    reader.advance_to(0, 0)
    source.let[0].set()
    reader.chunk(0, 0, 4, 1)
    closing = threading.Thread(target=reader.close)
    closing.start()
    source.all()
    closing.join(10)
    assert not closing.is_alive()
    assert helpers() == []
    assert set(source.made) <= {0, 1}
    # And it can be read on from there.
    reader.advance_to(0, 4)
    assert read(reader.chunk(0, 4, 8, 1)) == [4, 5, 6, 7]
    reader.close()
