"""Runs in turn, the chunk of one under way while others go on: each is, to the bit, the run that it is alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from run_contents import contents
from small_nets import NET

from nnctl.engine.engine import Engine
from nnctl.errors import DivergedError, Interrupted
from nnctl.process.together import Together
from nnctl.reporting.follow import RunSink, following
from nnctl.spec.load import load_text
from nnctl.training import session
from nnctl.training.chunk_length import Pace
from nnctl.training.events import Computing, Finished, Paused, Progress, Record
from nnctl.training.signals import StopRequest

SPEC = (
    NET
    + """\
optimizer: {type: momentum, learning_rate: 0.05}
schedule:
  epochs: 6
  batch_size: 16
  early_stopping: {monitor: validation_accuracy, patience: 3}
"""
)
DIVERGING = ("optimizer.learning_rate=1e30", "cost=mse", "layers.0.activation=linear", "layers.2.activation=linear")
TRIALS: tuple[tuple[str, ...], ...] = (
    ("seed=1",),
    DIVERGING,
    ("seed=2", "optimizer.learning_rate=1e-9"),  # stops early
    ("seed=3", "layers.1.rate=0.6", "schedule.epochs=9"),
    ("seed=1", "layers.0.units=7"),  # of another shape
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def a_run(
    out: str,
    *overrides: str,
    stop: StopRequest | None = None,
    pause: Callable[[int, Sequence[Record]], bool] | None = None,
    chunk: int | None = 2,
) -> Generator[None, None, Any]:
    """A run that returns how it ended, or the error by which it did."""
    loaded = load_text(SPEC, "small.yaml", overrides)
    events = session.train(loaded, out=Path(out), resume=True, stop=stop, chunk=chunk, pause=pause)
    try:
        return (yield from following(events, [RunSink()]))
    except (DivergedError, Interrupted) as error:
        return error


def ended(together: Together[str, Any]) -> dict[str, Any]:
    """How each ends, in the order in which they do."""
    found = {}
    while together:
        if (end := together.turn()) is not None:
            found[end[0]] = end[1]
    return found


def alone(out: str, *overrides: str) -> Any:
    together: Together[str, Any] = Together()
    together.add(out, a_run(out, *overrides))
    return ended(together)[out]


@pytest.mark.parametrize("backend", ["numpy", pytest.param("auto", marks=pytest.mark.compile)])
def test_runs_in_turn_are_to_the_bit_what_each_is_alone(backend: str) -> None:
    together: Together[str, Any] = Together()
    trials = [(*overrides, f"backend={backend}") for overrides in TRIALS]
    for number, overrides in enumerate(trials):
        together.add(f"together-{number}", a_run(f"together-{number}", *overrides))
    ends = ended(together)
    stops = [ends[f"together-{number}"] for number in range(len(TRIALS))]
    assert [type(end) for end in stops] == [Finished, DivergedError, Finished, Finished, Finished]
    assert stops[2].summary["stopped"]
    # Who ends early is gone before the others.
    assert next(iter(ends)) == "together-1"
    for number, overrides in enumerate(trials):
        end = alone(f"alone-{number}", *overrides)
        assert type(end) is type(stops[number])
        assert str(end).replace("alone", "together") == str(stops[number]) or isinstance(end, Finished)
        assert contents(f"together-{number}") == contents(f"alone-{number}")


def test_others_begin_their_chunks_while_one_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[tuple[str, int]] = []
    begin = Engine.begin

    def logged(self: Engine, *arguments: Any) -> Any:
        number = self.network.spec.seed
        log.append(("begun", number))
        landed = begin(self, *arguments)

        def told() -> Any:
            log.append(("landed", number))
            return landed()

        return told

    def no_thread(call: Callable[[], Any]) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Engine, "begin", logged)
    # The disk has no say in whose turn it is.
    monkeypatch.setattr("nnctl.process.together.Aside", no_thread)
    together: Together[str, Any] = Together()
    for seed in (1, 2):
        # Nets that share their graphs would be known by one spec.
        together.add(f"{seed}", a_run(f"{seed}", f"seed={seed}", f"layers.0.units={seed + 4}", "backend=numpy"))
    for _ in range(5):
        together.turn()
    turns = [[("begun", 2)], [("begun", 1)], *([("landed", seed), ("begun", seed)] for seed in (2, 1, 2))]
    assert log == [entry for turn in turns for entry in turn]
    together.close()
    # Nobody leaves steps behind that still change what he frees.
    assert sorted(log[-2:]) == [("landed", 1), ("landed", 2)]
    assert not together


@pytest.mark.parametrize("backend", ["numpy", pytest.param("auto", marks=pytest.mark.compile)])
def test_one_pauses_one_is_stopped_and_the_rest_go_on(backend: str) -> None:
    named = f"backend={backend}"
    stop = StopRequest()
    together: Together[str, Any] = Together()
    together.add("paused", a_run("paused", named, pause=lambda epoch, rows: epoch >= 2))
    together.add("stopped", a_run("stopped", named, "seed=5", stop=stop))
    together.add("whole", a_run("whole", named, "seed=6"))
    for _ in range(9):
        together.turn()
    stop.request(signal.SIGTERM)
    ends = ended(together)
    assert isinstance(ends["paused"], Paused)
    assert isinstance(ends["stopped"], Interrupted)
    assert isinstance(ends["whole"], Finished)
    for out, *overrides in (["paused"], ["stopped", "seed=5"], ["whole", "seed=6"]):
        assert isinstance(alone(out, named, *overrides), Finished)
        assert isinstance(alone(f"{out}-alone", named, *overrides), Finished)
        assert contents(out) == contents(f"{out}-alone")


def test_what_one_raises_leaves_the_others_in_turn() -> None:
    def broken() -> Generator[None, None, int]:
        yield
        raise ValueError("a defect")

    def sound() -> Generator[None, None, int]:
        yield
        yield
        return 7

    together: Together[str, int] = Together()
    together.add("sound", sound())
    together.add("broken", broken())
    assert [together.turn(), together.turn()] == [None, None]
    with pytest.raises(ValueError, match="a defect"):
        together.turn()
    assert len(together) == 1
    assert ended(together) == {"sound": 7}


def test_time_that_others_take_makes_no_chunk_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that goes on by a millisecond a step, and by a second while the run gives way."""
    from nnctl.training import loop as loops

    now = [0.0]
    begin = Engine.begin

    def slow(self: Engine, chunk: Any, *rest: Any) -> Any:
        now[0] += 0.001 * chunk.steps
        return begin(self, chunk, *rest)

    made = loops.Loop.__init__
    monkeypatch.setattr(Engine, "begin", slow)
    monkeypatch.setattr(
        loops.Loop,
        "__init__",
        lambda self, *a, **named: made(self, *a, **{**named, "pace": Pace(clock=lambda: now[0])}),
    )
    loaded = load_text(SPEC, "small.yaml", ["backend=numpy", "schedule.epochs=100", "schedule.batch_size=1"])
    chunks, before = [], 0
    for event in session.train(loaded, out=Path("run")):
        if isinstance(event, Computing):
            now[0] += 1.0
        if isinstance(event, Progress):
            chunks.append(event.step - before)
            before = event.step
        if len(chunks) == 3:
            break
    assert chunks == [60] * 3  # whole epochs
