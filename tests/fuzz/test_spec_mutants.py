"""Mutated specs: each gives errors at their places, or a net that begins to train."""

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from outcomes import LONG, SHORT, judge
from spec_mutants import SPECS, mutants

from nnctl.errors import Interrupted, UsageError
from nnctl.process.refusals import shortage_of
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.events import Event
from nnctl.training.signals import StopRequest


def begin(text: str) -> list[Event]:
    """A few steps of a spec's training on the reference backend, with all that comes before them and a checkpoint."""
    out = Path(tempfile.mkdtemp()) / "run"
    stop = StopRequest()
    stop.request(signal.SIGINT)
    try:
        loaded = load_text(text, str(SPECS / "mutant.yaml"), ("backend=numpy",))
        return list(session.train(loaded, out=out, stop=stop, threads=1, chunk=2))
    except Interrupted:
        return []
    except MemoryError as error:
        # A net may need more than a test has, and the command ends with 2. How much data make of memory is
        # judged where data are mutated.
        raise UsageError(shortage_of(error)) from error
    finally:
        shutil.rmtree(out.parent)


@pytest.mark.slow
@SHORT
@given(mutants())
def test_mutated_specs_in_short(text: str) -> None:
    judge(lambda: begin(text))


@pytest.mark.fuzz
@LONG
@given(mutants())
def test_mutated_specs(text: str) -> None:
    judge(lambda: begin(text))
