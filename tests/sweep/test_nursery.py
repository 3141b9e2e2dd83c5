"""The process that workers are copied from, and what is known of its copies."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator
from multiprocessing import Pipe
from pathlib import Path

import pytest

from nnctl.spec.load import Loaded, load_source
from nnctl.spec.yaml.source_text import SourceText
from nnctl.sweep.executors import nursery
from nnctl.sweep.executors.nursery import start_worker
from nnctl.sweep.executors.worker import Ready

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is copied")]

SPEC = "data: {type: blobs, examples: 60, centers: 2}\nlayers: [{type: dense, units: 2}]\ncost: quadratic\n"


@pytest.fixture
def base() -> Loaded:
    return load_source(SourceText(SPEC, "net.yaml"), Path(), "net", ())


@pytest.fixture(autouse=True)
def _own_nursery(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(nursery._Nursery, "there", None)
    yield
    if (there := nursery._Nursery.there) is not None:
        there._let_go()
        os.waitpid(there._pid, 0)


def number_of_nursery() -> int:
    there = nursery._Nursery.there
    assert there is not None
    return there._pid


def test_an_idle_worker_ends_with_its_connection_and_its_code_is_known(base: Loaded) -> None:
    process, tasks = start_worker(base, 1)
    assert tasks.recv() == Ready()
    assert process.is_alive()
    process.join(0)
    assert process.exitcode is None
    tasks.close()
    process.join()
    assert (process.exitcode, process.is_alive()) == (0, False)
    # Its number may be another process's by now.
    process.kill()


def test_the_signal_that_ends_a_worker_is_known(base: Loaded) -> None:
    processes = [start_worker(base, 1) for _ in range(2)]
    for (process, tasks), end in zip(processes, ("kill", "terminate"), strict=True):
        assert tasks.recv() == Ready()
        getattr(process, end)()
        if end == "terminate":
            tasks.close()
        process.join()
    assert [process.exitcode for process, _ in processes] == [-signal.SIGKILL, 0]


def test_where_the_nursery_dies_its_workers_go_on_and_others_are_copied_from_another(base: Loaded) -> None:
    first, tasks = start_worker(base, 1)
    assert tasks.recv() == Ready()
    died = number_of_nursery()
    os.kill(died, signal.SIGKILL)
    os.waitid(os.P_PID, died, os.WEXITED | os.WNOWAIT)
    # Nobody is left who would know how it ends.
    first.join(60)
    assert first.exitcode == 255
    second, others = start_worker(base, 1)
    assert others.recv() == Ready()
    assert number_of_nursery() != died
    for connection in (tasks, others):
        connection.close()
    second.join()
    assert second.exitcode == 0


def test_a_system_that_starts_no_copy_says_why() -> None:
    told, telling = Pipe(duplex=False)
    telling.send(-errno.EAGAIN)
    with pytest.raises(OSError, match=os.strerror(errno.EAGAIN)) as raised:
        nursery._Copy(told)
    assert raised.value.errno == errno.EAGAIN


def test_a_process_with_other_threads_is_not_copied(base: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise AssertionError("a copy has one of the threads alone")

    monkeypatch.setattr(os, "fork", refuse)
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    nursery.begin(copied=True)
    end.set()
    thread.join()
    process, tasks = start_worker(base, 1)
    assert tasks.recv() == Ready()
    tasks.close()
    process.join()
    assert process.exitcode == 0
