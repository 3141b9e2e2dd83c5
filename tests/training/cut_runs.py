"""Runs that a signal ends after some step, for tests of what goes on from there."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from nnctl.errors import Interrupted
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import Loaded
from nnctl.training import session
from nnctl.training.events import Event, Progress
from nnctl.training.signals import StopRequest


def cut_after(step: int, loaded: Loaded, out: Path) -> None:
    """Train in chunks of one step, and be asked to stop once this step is done."""
    stop = StopRequest()

    class Stopper(RunSink):
        def handle(self, event: Event) -> None:
            super().handle(event)
            if isinstance(event, Progress) and event.step >= step:
                stop.request(signal.SIGTERM)

    with pytest.raises(Interrupted):
        follow(session.train(loaded, out=out, stop=stop, chunk=1), [Stopper()])
