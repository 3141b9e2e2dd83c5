"""A worker process: it trains the trials that it is given, through the same function as `nnctl train`.

One after the other, or several in turn, where a chunk of steps of one is under way while others go on.

Workers share the cores, so that these are never overbooked, unless the spec's backend asks for threads by number. No
result depends on it.
"""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING

from nnctl.late import dataclass
from nnctl.process import memory
from nnctl.process.variables import THREADS
from nnctl.runs import durable
from nnctl.sweep.executors.contract import (
    Elsewhere,
    Failed,
    Halted,
    Outcome,
    Paused,
    Pruned,
    Read,
    Reading,
    Trained,
    TrialTask,
)
from nnctl.sweep.executors.trials import Trials
from nnctl.sweep.executors.waiting import Spent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nnctl.process.together import Work
    from nnctl.reporting.sinks import Sink
    from nnctl.spec.load import Loaded
    from nnctl.sweep.rungs import Watch
    from nnctl.training.events import Event, Record
    from nnctl.training.kept import Kept
    from nnctl.training.signals import StopRequest

FOR_MEMORY = "fewer trials at a time (-j), or a smaller net or batch; the same line again trains what is missing"
"""The way out where memory is short."""
_LOOK = 0.5
"""Seconds between two looks at a trial that another process trains."""
_BESIDE = 0.005
"""Seconds between two looks for a trial beside those under way: one at every turn is a fiftieth of a short trial."""
_GRACE = 10.0
"""Seconds that a worker without a parent has to save; what it had saved before is whole in any case."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""Errors of a machine on which no trial could write anything."""


@dataclass(frozen=True)
class Ready:
    """A worker's first word: it has started, and takes tasks."""


def work(
    base: Loaded, tasks: Connection, threads: int = 1, parent: int | None = None, idle: float | None = None
) -> None:
    """Say `Ready`, train the variants of `base` that come, answer each with `Ended`, until there are no more.

    Those that come while others are under way are trained beside them.

    threads: of a step at most. parent: a descriptor that is readable once the parent has gone; multiprocessing's own if
    None. idle: seconds without a task after which it ends by itself.
    """
    from nnctl.process.signals import ENDING, release
    from nnctl.process.streams import prepare_streams
    from nnctl.training.signals import stop_on_signals

    @cache
    def kept() -> Kept:
        from nnctl.training.kept import Kept

        return Kept()

    prepare_streams()
    # Ctrl-C, and the end of a terminal, reach the whole group of processes; the parent alone answers them, by SIGTERM
    # to each worker.
    for number in set(ENDING) - {signal.SIGTERM}:
        signal.signal(number, signal.SIG_IGN)
    with stop_on_signals() as stop:
        release()
        threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()
        trials = Trials(lambda task: training(base, task, stop, kept, threads))
        try:
            tasks.send(Ready())
            _answer(tasks, trials, idle, lambda reading: _read(base, reading, kept))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            if trials or stop:
                # Nobody asks for results any more: what is under way saves.
                stop.request(signal.SIGTERM)
                trials.finish()
                # What was left behind, as a compilation, is not waited for.
                os._exit(0)


def _answer(tasks: Connection, trials: Trials, idle: float | None, read: Callable[[Reading], Read]) -> None:
    """Answer tasks, and wishes to read, until none comes for so many seconds, or the device is lost.

    Raises EOFError at the end of tasks.
    """
    due, clock = 0.0, TrialClock()
    while True:
        if not trials or time.monotonic() >= due:
            if tasks.poll(0 if trials else idle):
                asked: TrialTask | Reading = tasks.recv()
                if isinstance(asked, Reading):
                    tasks.send(read(asked))
                    continue
                clock.begin(beside=bool(trials))
                trials.take(asked)
            elif not trials:
                return
            else:
                due = time.monotonic() + _BESIDE
        ended = trials.turn()
        if ended is not None:
            tasks.send(replace(ended, spent=clock.end(beside=bool(trials))))
            if isinstance(ended.outcome, Failed) and ended.outcome.lost:
                # All others here have lost it, too, and whoever would be given to this process.
                os._exit(1)


class TrialClock:
    """The time of trials that a process trains one at a time."""

    def __init__(self) -> None:
        self._first = True
        self._began: tuple[float, float] | None = None

    def begin(self, *, beside: bool) -> None:
        """Note that a trial begins, beside others or not."""
        self._began = None if beside else (time.perf_counter(), durable.disk.waited)

    def end(self, *, beside: bool) -> Spent | None:
        """The time of the trial that ends now; None of one beside others, and of the first."""
        first, began, self._first, self._began = self._first, self._began, False, None
        if first or beside or began is None:
            return None
        before, waited = began
        return Spent(time.perf_counter() - before, durable.disk.waited - waited, memory.most_taken())


def _read(base: Loaded, reading: Reading, kept: Callable[[], Kept]) -> Read:
    """Read the data of a trial and keep them. What keeps it from that is not told: who asks will meet it as well."""
    from nnctl.errors import NnctlError
    from nnctl.process.signals import Signalled, leavable
    from nnctl.sweep.trial import load_trial

    try:
        with leavable():
            kept().dataset(load_trial(base, reading.overrides, kept().variants(base)))
    except (NnctlError, OSError, MemoryError, Signalled):
        return Read(None)
    return Read(memory.most_taken())


def work_as(
    environment: Mapping[str, str], base: Loaded, tasks: Connection, threads: int, parent: int | None = None
) -> None:
    """Do `work` in the environment of the process that asks, which may have changed since this one was prepared."""
    own = {name: value for name in THREADS if (value := os.environ.get(name)) is not None}
    os.environ.clear()
    os.environ.update({**environment, **own})
    work(base, tasks, threads, parent)


def _end_with_parent(sentinel: int | None) -> None:
    """Save and end once the process that asks is gone: nobody will ask for the result."""
    if sentinel is None:
        parent = multiprocessing.parent_process()
        assert parent is not None
        sentinel = parent.sentinel
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(128 + signal.SIGTERM)


class _Verdict:
    """The decision on a trial at its rungs, as the loop asks for it."""

    def __init__(self, watch: Watch | None) -> None:
        self._watch = watch
        self.said: tuple[str, float] | None = None

    def pause(self, epochs: int, rows: Sequence[Record]) -> bool:
        """True where the trial is to end, for now or for good."""
        if self._watch is not None:
            self.said = self._watch.decide(rows, epochs)
        return self.said is not None


class _Place:
    """A sink that knows how far a run is, and how large its net. epochs: whole ones that are done."""

    def __init__(self) -> None:
        self.epochs = self.parameters = 0
        self._steps = 1

    def handle(self, event: Event) -> None:
        """Take the place from an event that has one."""
        from nnctl.training.events import Progress, Started

        if isinstance(event, Started):
            self.parameters, self._steps = event.parameters, event.steps // event.epochs
        if isinstance(event, Started | Progress):
            self.epochs = event.step // self._steps

    def close(self) -> None:
        """Do nothing."""


def train(base: Loaded, task: TrialTask, stop: StopRequest, kept: Callable[[], Kept] | None = None) -> Outcome:
    """Train a trial in this process; or go on with it, whoever began it. kept: gives what trials before have left."""
    from nnctl.process.together import to_its_end

    return to_its_end(training(base, task, stop, kept))


def training(
    base: Loaded, task: TrialTask, stop: StopRequest, kept: Callable[[], Kept] | None = None, threads: int = 1
) -> Work[Outcome]:
    """Do `train`, its steps by so many threads at most, and give way while a chunk of them is under way."""
    if task.address is None:
        return (yield from training_here(base, task, stop, kept, threads))
    from nnctl.sweep.executors.carrying import training_there

    return (yield from training_there(base, task, stop, kept, threads))


def training_here(
    base: Loaded,
    task: TrialTask,
    stop: StopRequest,
    kept: Callable[[], Kept] | None = None,
    threads: int = 1,
    sinks: Sequence[Sink] = (),
) -> Work[Outcome]:
    """Do `training` in the task's folder. sinks: that have its events as well, each when its rows are there."""
    from nnctl.errors import (
        DeviceFull,
        DeviceLost,
        DivergedError,
        Interrupted,
        NnctlError,
        RunError,
        RunInUse,
        UsageError,
    )
    from nnctl.process.refusals import sentence_of, shortage_of
    from nnctl.process.signals import Signalled, leavable
    from nnctl.reporting.follow import RunSink, following
    from nnctl.training.events import Finished

    place, verdict = _Place(), _Verdict(task.watch)
    try:
        while True:
            try:
                with leavable():
                    from nnctl.sweep.trial import load_trial
                    from nnctl.training import session

                    known = None if kept is None else kept()
                    loaded = load_trial(base, task.overrides, None if known is None else known.variants(base))
                events = session.train(
                    loaded,
                    out=task.folder,
                    resume=True,
                    stop=stop,
                    threads=threads,
                    pause=verdict.pause if task.watch is not None else None,
                    kept=known,
                )
                ended = yield from following(events, [RunSink(), place, *sinks])
                if isinstance(ended, Finished):
                    return Trained(ended.summary)
                assert verdict.said is not None
                status, rung = verdict.said
                return (Paused if status == "paused" else Pruned)(rung, place.parameters)
            except RunInUse:
                if stop:
                    return Halted()
                if not task.patient:
                    return Elsewhere()
                time.sleep(_LOOK)
    except (Interrupted, Signalled):
        return Halted()
    except DivergedError as error:
        return Failed("diverged", str(error), error.exit_code, epochs=place.epochs)
    except RunError as error:
        # What the operating system refused is its cause.
        number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
        return Failed("failed", str(error), error.exit_code, again=number is not None, full=number in FULL)
    except DeviceLost as error:
        return Failed("failed", str(error), error.exit_code, again=True, lost=True)
    except NnctlError as error:
        # The spec was checked before: what cannot be is mostly what does not fit into memory.
        cramped = isinstance(error, DeviceFull | UsageError)
        return Failed("failed", str(error), error.exit_code, cramped=cramped)
    except OSError as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        return Failed("failed", sentence, 2, again=True, full=error.errno in FULL)
    except MemoryError as error:
        return Failed("failed", f"{shortage_of(error)}\n  {FOR_MEMORY}", 2, again=True, cramped=True)
