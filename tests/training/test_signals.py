from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from nnctl.errors import Interrupted
from nnctl.process import signals
from nnctl.process.signals import Signalled, leavable, leave
from nnctl.training.signals import StopRequest, stop_on_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in signals.ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", signals.ENDING)
def test_a_signal_is_a_wish_and_a_second_changes_nothing(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in signals.ENDING]
    with stop_on_signals() as stop:
        assert not stop
        for each in (number, *signals.ENDING):
            send(each)
        assert stop.signal_number == number
    assert [signal.getsignal(each) for each in signals.ENDING] == before


def test_the_first_request_decides() -> None:
    stop = StopRequest()
    stop.request(13)
    stop.request(2)
    assert stop.signal_number == 13


def test_what_need_not_be_finished_is_left_at_once() -> None:
    reached = []

    def block() -> None:
        with stop_on_signals(), leavable():
            reached.append("before")
            send(signal.SIGTERM)
            reached.append("after")

    with pytest.raises(Interrupted) as caught:
        block()
    assert caught.value.exit_code == 143
    assert reached == ["before"]


def test_a_signal_that_came_before_leaves_it_too_unless_only_new_ones_do() -> None:
    reached = []

    def block() -> None:
        with stop_on_signals():
            send(signal.SIGHUP)
            with leavable(noted=False):
                reached.append("written")
            with leavable():
                reached.append("begun")

    with pytest.raises(Interrupted):
        block()
    assert reached == ["written"]


def test_work_within_a_library_is_left_behind_and_its_errors_are_its_callers() -> None:
    assert leave(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        leave(lambda: 1 / 0)
    never = threading.Event()
    timer = threading.Timer(0.05, lambda: send(signal.SIGTERM))

    def block() -> None:
        with stop_on_signals():
            timer.start()
            leave(never.wait)

    with pytest.raises(Interrupted):
        block()
    never.set()


class Finalized:
    def __del__(self) -> None:
        send(signal.SIGTERM)


def test_a_signal_within_a_finalizer_counts() -> None:
    def block() -> None:
        with stop_on_signals():
            with leavable():
                Finalized()
            with leavable():
                pass

    with pytest.raises(Interrupted):
        block()


def test_ignored_signals_stay_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with stop_on_signals() as stop:
        send(signal.SIGHUP)
        assert not stop
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    signals.end_on_signals()
    send(signal.SIGHUP)
    with pytest.raises(Signalled) as caught:
        send(signal.SIGTERM)
    assert caught.value.exit_code == 143
