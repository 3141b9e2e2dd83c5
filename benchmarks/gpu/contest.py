"""One process a contestant and row of the table, and one of them at a time on the device.

What a contestant spoils, as a context behind an assertion of a kernel, it spoils for itself. Libraries are imported and
contexts made side by side, and what is compiled long is compiled then, too; only when all wait is anyone timed.
"""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from benchmarks.trainer import DeviceTrainer
from benchmarks.workloads import Workload, orders, steps_within

_ROUNDS = 7
_FEWEST = 3
_SECONDS = 0.1
"""About how long a round takes."""
_PATIENCE = 1.5
"""Seconds after which no round is begun, once there are the fewest."""
_PREPARING = 30.0
"""Seconds that a contestant has to prepare a net, and then to be timed: with the device for itself."""
_SAID = 200
"""Characters of what a contestant says of its failure."""
_ENVIRONMENT = {
    # It would take nearly all of the memory that the others need.
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    # For each of the many processes that compile side by side.
    "TORCHINDUCTOR_COMPILE_THREADS": "2",
}

Request = Literal["open", "prepare", "time"]


@dataclass(frozen=True)
class DeviceContestant:
    """A contestant by its module; nothing of it is imported but in its own process.

    package: the one that must be installed. module, function: a `prepare(workload, precision)`, which gives a
    DeviceTrainer; the module has an `open_device()`, too. compiles: whether that takes so long that it is done side by
    side with others.
    """

    package: str
    module: str
    function: str
    compiles: bool = False

    @property
    def installed(self) -> bool:
        """True where it can take part here."""
        return find_spec(self.package) is not None


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    workload: Workload
    precision: str


@dataclass(frozen=True)
class Figures:
    """The figures of a contestant.

    events, host: medians of the seconds a step by the device's events, None where it has none, and by the host's clock
        around the same rounds.
    steps: of a round. way: what ran them; see `DeviceTrainer`.
    """

    events: float | None
    host: float
    steps: int
    way: str


class FailedError(Exception):
    """A contestant did not do what it was asked: its reason, in a line."""


class Child:
    """The process of a contestant for a row. It begins at once, and works when it is asked to.

    What it and its libraries print is kept apart: a kernel's assertion says a line a thread.
    """

    def __init__(self, contestant: DeviceContestant, row: Row) -> None:
        context = multiprocessing.get_context("spawn")
        handle, name = tempfile.mkstemp(prefix="benchmarks-", suffix=".txt")
        os.close(handle)
        self._printed = Path(name)
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, self._printed, contestant, row), daemon=True)
        self._process.start()
        # With this end closed here too, the end of the process is the end of what is received.
        theirs.close()

    def ask(self, what: Request, seconds: float) -> Any:
        """The answer to a request. Raises FailedError where there is none within so many seconds; it is ended then."""
        try:
            self._connection.send(what)
            if not self._connection.poll(max(0.0, seconds)):
                self.kill()
                raise FailedError(f"no answer to {what!r} within {seconds:.0f} s")
            answer = self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join(_PATIENCE)
            last = self._printed.read_text(errors="replace").strip()[-_SAID:]
            raise FailedError(f"its process ended with {self._process.exitcode}: {' '.join(last.split())}") from None
        if isinstance(answer, FailedError):
            raise answer
        return answer

    def kill(self) -> None:
        """Let it end, whatever it does, and wait for nothing."""
        self._process.kill()

    def join(self) -> None:
        """Wait until it has ended."""
        self._process.join()
        self._connection.close()
        self._printed.unlink()


def _work(connection: Connection, printed: Path, contestant: DeviceContestant, row: Row) -> None:
    """Answer what a `Child` is asked, until it is killed or its parent has ended, or something has failed."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    said = os.open(printed, os.O_WRONLY | os.O_APPEND)
    os.dup2(said, 1)
    os.dup2(said, 2)
    trainer: DeviceTrainer | None = None
    while True:
        try:
            request: Request = connection.recv()
        except EOFError:
            return
        try:
            if request == "open":
                import_module(contestant.module).open_device()
                answer: Any = True
            elif request == "prepare":
                prepare: Callable[[Workload, str], DeviceTrainer]
                prepare = getattr(import_module(contestant.module), contestant.function)
                trainer = prepare(row.workload, row.precision)
                answer = first_costs(trainer, row.workload)
            else:
                assert trainer is not None
                answer = timed(trainer)
        except Exception as error:  # noqa: BLE001 — what a contestant raises is its result
            answer = FailedError(f"{type(error).__name__}: {' '.join(str(error).split())[:_SAID]}")
        connection.send(answer)
        if isinstance(answer, FailedError):
            # With its context it may have lost the way to end in peace.
            connection.close()
            os._exit(1)


def first_costs(trainer: DeviceTrainer, workload: Workload) -> list[float]:
    """Costs of the steps that are compared. Raises RuntimeError where one is no finite number."""
    costs = trainer.costs(orders(workload, trainer.comparable))
    if not all(map(math.isfinite, costs)):
        raise RuntimeError(f"first costs are {costs}")
    return costs


def timed(trainer: DeviceTrainer) -> Figures:
    """Medians over rounds, after one that warms up."""
    if trainer.steps is None:
        trainer.seconds(20)
        steps = steps_within(_SECONDS, trainer.seconds(20) / 20)
    else:
        steps = trainer.steps
    trainer.seconds(steps)
    gc.collect()
    by_events: list[float] = []
    by_clock: list[float] = []
    begun = time.perf_counter()
    while len(by_clock) < _ROUNDS and (len(by_clock) < _FEWEST or time.perf_counter() - begun < _PATIENCE):
        began = time.perf_counter()
        by_events.append(trainer.seconds(steps) / steps)
        by_clock.append((time.perf_counter() - began) / steps)
    if not trainer.events:
        return Figures(None, statistics.median(by_events), steps, trainer.way())
    return Figures(statistics.median(by_events), statistics.median(by_clock), steps, trainer.way())


@dataclass
class Seat:
    """A contestant's place in a row: its process, the costs of its first steps, and the reason why it has failed."""

    contestant: DeviceContestant
    row: Row
    child: Child | None = None
    costs: list[float] | None = None
    failed: str | None = None

    def ask(self, what: Request, seconds: float) -> Any:
        """The answer of the child, which begins where it has not; None where it fails now, or has before."""
        if self.failed is not None:
            return None
        try:
            if self.child is None:
                self.child = Child(self.contestant, self.row)
            answer = self.child.ask(what, seconds)
        except FailedError as error:
            self.failed = str(error)
            return None
        if what == "prepare":
            self.costs = answer
        return answer

    def leave(self) -> None:
        """Let its process end, and wait for nothing."""
        if self.child is not None:
            self.child.kill()


def seated(
    rows: Sequence[Row], contestants: Mapping[str, DeviceContestant], seconds: float, jobs: int
) -> dict[Row, dict[str, Seat]]:
    """Everyone's places in these rows: libraries imported, contexts made, and what compiles long prepared.

    Of those that compile, who is not done within so many seconds has failed; others can begin later.
    jobs: how many begin at a time, contestant by contestant, those that compile first.
    """
    end = time.monotonic() + seconds
    seats = {row: {name: Seat(contestant, row) for name, contestant in contestants.items()} for row in rows}

    def begin(seat: Seat) -> None:
        left = end - time.monotonic()
        if left <= 0.0 and seat.contestant.compiles:
            seat.failed = f"there was no time left of {seconds:.0f} s to begin"
        elif left > 0.0 and seat.ask("open", left) is not None and seat.contestant.compiles:
            seat.ask("prepare", end - time.monotonic())

    order = sorted(contestants, key=lambda name: not contestants[name].compiles)
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(begin, [seats[row][name] for name in order for row in rows]))
    return seats


def figures_of(seats: Mapping[str, Seat], left: Callable[[], float]) -> dict[str, Figures]:
    """Figures of everyone in a row, one after the other. left: seconds until there is no time for more."""
    figures = {}
    for name, seat in seats.items():
        if seat.costs is None:
            seat.ask("prepare", min(_PREPARING, left()))
        if seat.costs is not None and (found := seat.ask("time", min(_PREPARING, left()))) is not None:
            figures[name] = found
    return figures


def leave(seats: Iterable[Seat]) -> None:
    """Let all of these end."""
    leaving = list(seats)
    for seat in leaving:
        seat.leave()
    for seat in leaving:
        if seat.child is not None:
            seat.child.join()
