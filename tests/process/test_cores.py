"""Threads that begin on cores of their own, go where they like afterwards, and take short turns."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import threading

import pytest

from nnctl.process import cores as module
from nnctl.process.cores import cores, short_turns, spread

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="threads cannot be placed here")


def test_a_thread_may_go_anywhere_after_it_was_placed():
    before = os.sched_getaffinity(0)
    after = []

    def place(number: int) -> None:
        spread(number)
        after.append(os.sched_getaffinity(0))

    threads = [threading.Thread(target=place, args=(number,)) for number in range(cores() + 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert after == [before] * len(threads)
    assert os.sched_getaffinity(0) == before


def test_a_system_that_forbids_it_is_left_alone(monkeypatch):
    asked = []

    def forbidden(thread, allowed):
        asked.append(allowed)
        raise PermissionError("not here")

    monkeypatch.setattr(os, "sched_setaffinity", forbidden)
    spread(0)
    assert len(asked) == 1


def test_a_thread_more_than_cores_begins_where_the_system_wants(monkeypatch):
    asked = []
    monkeypatch.setattr(os, "sched_setaffinity", lambda thread, allowed: asked.append(allowed))
    spread(cores())
    assert asked == []
    spread(cores() - 1)
    assert asked == [{max(os.sched_getaffinity(0))}, os.sched_getaffinity(0)]


def turn() -> int:
    """Nanoseconds of this thread's turn on a core; 0 where the system does not tell."""
    numbers = module._CALLS.get(platform.machine())
    if sys.platform != "linux" or numbers is None:
        return 0
    attributes = ctypes.create_string_buffer(module._ATTRIBUTES.size)
    assert ctypes.CDLL(None).syscall(numbers[0], 0, attributes, module._ATTRIBUTES.size, 0) == 0
    return int(module._ATTRIBUTES.unpack(attributes.raw)[5])


def test_threads_that_are_begun_have_short_turns_and_whoever_begins_them_has_none_afterwards():
    before, nice = turn(), os.nice(0)
    found = []
    with short_turns():
        thread = threading.Thread(target=lambda: found.append(turn()))
        thread.start()
        thread.join()
    assert found == [module._TURN if before else 0]
    assert (turn(), os.nice(0)) == (before, nice)


@pytest.mark.parametrize("numbers", [{}, {platform.machine(): (1 << 20, 1 << 20)}])
def test_a_system_without_short_turns_is_left_alone(monkeypatch, numbers):
    before = turn()
    with monkeypatch.context() as without:
        without.setattr(module, "_CALLS", numbers)
        begun = short_turns()
        begun.__enter__()
    assert turn() == before
    begun.__exit__(None, None, None)
    assert turn() == before
