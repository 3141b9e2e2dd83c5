"""Threads that begin on cores of their own, and may go where they like afterwards."""

from __future__ import annotations

import os
import threading

import pytest

from nnctl.process.cores import cores, spread

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
