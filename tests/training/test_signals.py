from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from nnctl.training.signals import StopRequest, stop_on_signals

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


def test_the_first_signal_is_a_wish_and_the_second_the_systems() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stop_on_signals() as stop:
        assert not stop
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.signal_number == signal.SIGTERM
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_the_first_request_decides() -> None:
    stop = StopRequest()
    stop.request(13)
    stop.request(2)
    assert stop.signal_number == 13


def test_the_second_signal_ends_the_process_whatever_it_does() -> None:
    program = """
import os, signal
from nnctl.training.signals import stop_on_signals
with stop_on_signals():
    os.kill(os.getpid(), signal.SIGINT)
    os.kill(os.getpid(), signal.SIGINT)
    print("survived")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")
