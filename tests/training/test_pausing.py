"""Runs that pause at an epoch: taken up again, they are equal to the bit to one that never did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from run_contents import contents
from small_nets import with_plateau

from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.events import Finished, Paused, Record

SPEC = with_plateau(epochs=5)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(out: str, until: int | None = None, chunk: int | None = None) -> Finished | Paused | None:
    asked: list[int] = []

    def pause(epoch: int, rows: Sequence[Record]) -> bool:
        asked.append(epoch)
        assert all(row["epoch"] <= epoch for row in rows)  # type: ignore[operator]
        return until is not None and epoch >= until

    events = session.train(load_text(SPEC, "small.yaml"), out=Path(out), resume=True, chunk=chunk, pause=pause)
    ended = follow(events, [RunSink()])
    assert asked == sorted(set(asked))
    return ended


@pytest.mark.parametrize("backend", ["numpy", pytest.param("auto", marks=pytest.mark.compile)])
def test_paused_at_epochs_and_resumed_it_is_the_run_that_never_was(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.SPEC", SPEC.replace("backend: numpy", f"backend: {backend}"))
    whole = run("whole")
    assert isinstance(whole, Finished)
    for until, chunk in ((1, 2), (2, None), (4, 1)):
        assert run("paused", until, chunk) == Paused(until, until * 4)
        # Asked for an epoch that it has done, it pauses where it is.
        assert run("paused", until) == Paused(until, until * 4)
        assert not Path("paused/summary.json").exists()
    assert isinstance(run("paused", 5), Finished)
    assert contents("paused") == contents("whole")


def test_a_run_that_is_told_to_go_on_never_pauses() -> None:
    assert isinstance(run("whole"), Finished)
    finished = run("whole", 1)
    assert isinstance(finished, Finished)
    assert finished.before
