"""The choice of how many trials a process trains at a time: both sides of the rule, what it is told, what it keeps."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nnctl.backends.cuda.component import Cuda
from nnctl.process import memory
from nnctl.process.together import Aside, Together, Work, aside
from nnctl.runs import durable
from nnctl.runs.disk import Disk
from nnctl.sweep.executors import choice
from nnctl.sweep.executors.contract import Outcome, Trained, TrialTask
from nnctl.sweep.executors.local import LocalProcesses
from nnctl.sweep.executors.waiting import Spent, Waiting, flush_seconds, together_for
from nnctl.sweep.executors.worker import TrialClock
from nnctl.sweep.runner import run
from nnctl.sweep.study import read_study
from nnctl.training.signals import StopRequest

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: linear}]
cost: mse
schedule: {epochs: 4, batch_size: 10}
backend: numpy
"""
_MB = 1 << 20


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


# -- the rule ----------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1), (0.39, 1), (0.4, 4), (0.5, 4), (0.7, 7), (0.9, 8), (1.0, 8)])
def test_who_waits_for_long_has_others_beside_him(share: float, expected: int) -> None:
    assert together_for(share) == expected


def test_two_trials_of_each_process_tell_and_the_middle_one_counts() -> None:
    waiting = Waiting(2)
    for waited in (0.9, 0.0, 0.1):
        waiting.tell(Spent(1.0, waited, _MB))
        assert not waiting.known
    waiting.tell(Spent(1.0, 0.1, _MB))
    assert waiting.known
    assert waiting.together(1 << 40) == 1


@pytest.mark.parametrize(("available", "expected"), [(0, 1), (399 * _MB, 1), (400 * _MB, 2), (1 << 40, 4)])
def test_there_is_memory_for_as_many_processes_more(available: int, expected: int) -> None:
    waiting = Waiting(2)
    for _ in range(4):
        waiting.tell(Spent(1.0, 0.5, 100 * _MB))
    assert waiting.together(available) == expected


def test_a_process_tells_of_trials_that_it_trains_alone_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "disk", Disk())
    clock = TrialClock()
    clock.begin(beside=False)
    assert clock.end(beside=False) is None
    clock.begin(beside=False)
    durable.write_durably(Path("file"), b"content")
    spent = clock.end(beside=False)
    assert spent is not None
    assert 0.0 < spent.waited <= spent.seconds
    assert spent.memory > 0
    clock.begin(beside=False)
    clock.begin(beside=True)
    assert clock.end(beside=True) is None
    assert clock.end(beside=False) is None


def test_a_flush_is_timed_and_leaves_nothing(tmp_path: Path) -> None:
    before = os.listdir(tmp_path)
    assert 0.0 < flush_seconds(tmp_path) < 10.0
    assert os.listdir(tmp_path) == before


# -- who is asked ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "jobs", "expected"),
    [
        ((), None, True),
        ((), 2, False),  # so many at a time are asked for
        ((), 1, False),
        (("sweep.together=1",), None, False),
        (("sweep.together=3",), None, False),
        (("backend=cuda",), None, False),  # which has its own rule
    ],
)
def test_it_is_measured_where_nobody_says_how_many(
    monkeypatch: pytest.MonkeyPatch, settings: Sequence[str], jobs: int | None, expected: bool
) -> None:
    monkeypatch.setattr(choice, "cores", lambda: 2)
    monkeypatch.setattr(Cuda, "together", lambda self, jobs: jobs)
    study = read_study(Path("net.yaml"), ["sweep.seeds=20", *settings], Path("found"))
    executor = choice.open_executor("local", study, jobs)
    assert isinstance(executor, LocalProcesses)
    assert (executor._waiting is not None) == expected


class Slow(Disk):
    """A disk whose flushes take a while. at_once: of them, at most."""

    under_way = at_once = 0

    def _wait(self, descriptor: int) -> None:
        self.under_way += 1
        self.at_once = max(self.at_once, self.under_way)
        time.sleep(0.02)
        super()._wait(descriptor)
        self.under_way -= 1


class Counted(LocalProcesses):
    """Local processes that note how many tasks there are, at most, of each and of all."""

    most = most_of_all = 0

    def give(self, task: TrialTask) -> None:
        super().give(task)
        self.most = max(self.most, *(len(worker.tasks) for worker in self._workers))
        self.most_of_all = max(self.most_of_all, sum(len(worker.tasks) for worker in self._workers))


def swept(out: str, settings: Sequence[str], executor: Callable[[Any], LocalProcesses]) -> dict[int, Any]:
    study = read_study(Path("net.yaml"), settings, Path(out))
    return {result.trial.number: result.metrics for result in run(study, executor(study.base), StopRequest())}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", pytest.param("cpu", marks=pytest.mark.compile)])
@pytest.mark.parametrize(("share", "expected"), [(0.1, 1), (0.6, 5)])
def test_processes_train_several_where_their_trials_wait_with_the_bits_of_a_process_each(
    monkeypatch: pytest.MonkeyPatch, share: float, expected: int, backend: str
) -> None:
    made: list[Counted] = []
    said: list[str] = []
    monkeypatch.setattr(memory, "available", lambda: 1 << 40)

    class Told(Waiting):
        def tell(self, spent: Spent) -> None:
            super().tell(Spent(1.0, share, _MB))

    def chosen(base: Any) -> LocalProcesses:
        made.append(Counted(base, 2, waiting=Told(2), tell=said.append))
        return made[-1]

    settings = ("sweep.seeds=24", f"backend={backend}")
    found = swept("chosen", settings, chosen)
    assert found == swept("each", settings, lambda base: LocalProcesses(base, 2))
    assert made[0].most == expected
    assert made[0].most_of_all == 2 * expected
    assert len(made[0]._workers) == 2
    words = "trials wait for the disk 60% of their time: each of 2 processes trains 5 at a time"
    assert said == ([words] if expected > 1 else [])


@pytest.mark.slow
def test_no_more_are_under_way_than_the_lag_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Counted] = []
    monkeypatch.setattr(memory, "available", lambda: 1 << 40)

    class Told(Waiting):
        def tell(self, spent: Spent) -> None:
            super().tell(Spent(1.0, 0.9, _MB))

    def chosen(base: Any) -> LocalProcesses:
        made.append(Counted(base, 2, waiting=Told(2)))
        return made[-1]

    settings = (
        "sweep={space: {optimizer.learning_rate: {type: log_uniform, low: 1e-3, high: 1}}, trials: 20,"
        " sampler: {type: tpe, startup: 4}, lag: 3}",
    )
    found = swept("chosen", settings, chosen)
    assert made[0].together == 8
    assert made[0].most_of_all <= 4
    assert found == swept("one", settings, lambda base: LocalProcesses(base, 1))


# -- while it waits ----------------------------------------------------------------------


def test_others_go_on_while_one_waits_and_it_is_due_when_that_has_ended() -> None:
    log: list[str] = []

    def waits() -> Work[str]:
        yield
        log.append("begins to wait")
        found = yield from aside(lambda: time.sleep(0.05) or "slept")
        log.append("has waited")
        return found

    def works() -> Work[str]:
        for _ in range(4):
            log.append("works")
            yield
        return "worked"

    together: Together[str, str] = Together()
    together.add("works", works())
    together.add("waits", waits())
    ends = []
    while together:
        if (end := together.turn()) is not None:
            ends.append(end)
    assert log[-1] == "has waited"
    assert log.index("begins to wait") < len(log) - 3
    assert ends == [("works", "worked"), ("waits", "slept")]


def test_who_is_alone_waits_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(call: Any) -> Any:
        raise AssertionError("a thread")

    monkeypatch.setattr("nnctl.process.together.Aside", refuse)
    together: Together[str, int] = Together()
    together.add("alone", aside(lambda: 7))
    assert together.turn() == ("alone", 7)


def test_what_the_call_raises_is_raised_where_its_result_is_awaited() -> None:
    def fails() -> Work[str]:
        try:
            yield from aside(_refused)
        except OSError as error:
            return str(error)
        return ""

    def other() -> Generator[None, None, str]:
        yield
        return "sound"

    together: Together[str, str] = Together()
    together.add("other", other())
    together.add("fails", fails())
    found = {}
    while together:
        if (end := together.turn()) is not None:
            found[end[0]] = end[1]
    assert found == {"fails": "no room", "other": "sound"}


def _refused() -> None:
    raise OSError("no room")


def test_where_no_thread_can_be_had_the_others_wait_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", none)
    monkeypatch.setattr(Together, "others", 1)
    with pytest.raises(StopIteration) as ended:
        next(aside(lambda: 7))
    assert ended.value.value == 7
    with pytest.raises(RuntimeError):
        Aside(lambda: 7)


def test_trials_beside_each_other_write_what_each_writes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from nnctl.sweep.executors.trials import Trials
    from nnctl.sweep.executors.worker import training

    disk = Slow()
    monkeypatch.setattr(durable, "disk", disk)
    study = read_study(Path("net.yaml"), ["sweep.seeds=4"], Path("found"))
    tasks = [TrialTask(trial.number, trial.overrides, Path(f"{trial.number}")) for trial in study.samples()]
    stop = StopRequest()
    trials = Trials(lambda task: training(study.base, task, stop))
    for task in tasks:
        trials.take(task)
    outcomes: dict[int, Outcome] = {}
    while trials:
        if (ended := trials.turn()) is not None:
            outcomes[ended.number] = ended.outcome
    assert {type(outcome) for outcome in outcomes.values()} == {Trained}
    assert disk.at_once > 1
    for number, outcome in outcomes.items():
        assert isinstance(outcome, Trained)
        rows = [json.loads(row) for row in Path(f"{number}/metrics.jsonl").read_text().splitlines()]
        assert outcome.summary["last"]["validation_cost"] == rows[-1]["validation_cost"]
