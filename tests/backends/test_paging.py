"""Pages of arrays that the system gives beside: nothing of an array changes, and small ones are left alone."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest

from nnctl.backends.cpu import paging
from nnctl.backends.cpu.tables import aligned
from nnctl.process.cores import c_library


@pytest.fixture
def begun(monkeypatch) -> list[threading.Thread]:
    """Threads that give pages, on a machine of two cores."""
    found: list[threading.Thread] = []

    class Noted(threading.Thread):
        def start(self) -> None:
            found.append(self)
            super().start()

    monkeypatch.setattr(paging, "cores", lambda: 2)
    monkeypatch.setattr(paging.threading, "Thread", Noted)
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux")
def test_pages_are_given_and_hold_what_was_written(begun):
    resource = pytest.importorskip("resource")
    array = aligned(40 << 20)
    array[::1000] = 7
    other = aligned(40 << 20)
    for each in (array, other):
        paging.have_given(each)
    for thread in begun:
        thread.join()
    assert len(begun) == 2
    assert np.all(array[::1000] == 7)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    other[:] = 1
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    if c_library().madvise(None, 0, paging._POPULATE_WRITE) == 0:
        assert faults < 10


def test_small_arrays_are_given_when_they_are_written_to(begun):
    paging.have_given(aligned(1 << 20))
    assert not begun


def test_nothing_is_given_beside_on_a_machine_of_one_core(begun, monkeypatch):
    monkeypatch.setattr(paging, "cores", lambda: 1)
    paging.have_given(aligned(40 << 20))
    assert not begun
