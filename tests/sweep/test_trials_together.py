"""Trials that one process trains in turn: what each would be alone, whatever becomes of its neighbours and of both."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from run_contents import contents
from witness import Witness

from nnctl.backends.cuda import component
from nnctl.backends.cuda.component import Cuda
from nnctl.backends.registry import likely
from nnctl.components.backends import Auto
from nnctl.errors import DeviceLost
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.folder import RunFolder
from nnctl.runs.rows import evaluations
from nnctl.spec.load import Loaded
from nnctl.sweep.executors import choice, worker
from nnctl.sweep.executors.contract import Ended, Failed, Outcome, Read, Trained, TrialTask
from nnctl.sweep.executors.local import LocalProcesses, Worker, require_processes
from nnctl.sweep.executors.trials import Trials
from nnctl.sweep.results_file import write_results
from nnctl.sweep.runner import run
from nnctl.sweep.study import read_study
from nnctl.sweep.trial import load_trial
from nnctl.sweep.trial_result import TrialResult
from nnctl.training import session
from nnctl.training.signals import StopRequest

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: linear}]
cost: mse
optimizer: {type: adam, learning_rate: 0.01}
schedule: {epochs: 40, batch_size: 10, early_stopping: {monitor: validation_cost, patience: 20}}
backend: numpy
"""
GRID = (
    "sweep.grid={optimizer: [{type: sgd, learning_rate: 1e+30}, adam, {type: sgd, learning_rate: 0.1}], seed: [1, 2]}"
)
BACKENDS = {"numpy": "backend=numpy", "cpu": "backend={type: cpu, threads: 1}"}
"""Overrides. Threads stand in summaries: one, however many processes share the cores."""
PRUNED = (
    "sweep.space={optimizer.learning_rate: {type: log_uniform, low: 1e-6, high: 1}}",
    "sweep.trials=10",
    "sweep.sampler={type: tpe, startup: 3}",
    "sweep.pruner={type: median, startup: 3}",
    "sweep.lag=3",
)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


class Watched(LocalProcesses):
    """Local processes that note how many tasks each has when it is given one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.given: list[int] = []
        self.loads: list[list[int]] = []

    def give(self, task: TrialTask) -> None:
        super().give(task)
        self.given.append(task.number)
        self.loads.append([len(each.tasks) for each in self._workers])


def swept(out: str, overrides: Sequence[str], executor: Any) -> list[TrialResult]:
    study = read_study(Path("net.yaml"), overrides, Path(out))
    results = sorted(run(study, executor(study.base), StopRequest()), key=lambda result: result.trial.number)
    write_results(study, results)
    return results


def folders(out: str) -> dict[str, Any]:
    """What lies in the folders of trials, and the results.

    Without checkpoints of those that have diverged: on a busy machine one may be saved before the step that ends them.
    """
    found = {path.name: contents(path) for path in sorted(Path(out).glob("0*"))}
    for record in Path(out, "ended").glob("*.json"):
        if json.loads(record.read_text())["status"] == "diverged":
            held = found[record.stem]
            found[record.stem] = {name: held[name] for name in held if not name.startswith("checkpoints/")}
    return {**found, "results": json.loads(Path(out, "results.json").read_text())}


# -- processes ---------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["numpy", "cpu"])
@pytest.mark.parametrize("settings", [(GRID,), PRUNED], ids=["grid", "pruned"])
def test_trials_of_one_process_are_to_the_bit_those_of_a_process_each(settings: Sequence[str], backend: str) -> None:
    overrides = (*settings, BACKENDS[backend])
    several = swept("several", overrides, lambda base: LocalProcesses(base, 2))
    made: list[Watched] = []

    def together(base: Loaded) -> Watched:
        made.append(Watched(base, 3, 3))
        return made[-1]

    results = swept("together", overrides, together)
    assert [(r.status, r.metrics) for r in results] == [(r.status, r.metrics) for r in several]
    statuses = {result.status for result in results}
    assert statuses == ({"diverged", "finished"} if settings == (GRID,) else {"pruned", "finished"})
    assert folders("together") == folders("several")
    # All were in one process, and some of them at the same time.
    assert all(len(load) == 1 for load in made[0].loads)
    assert max(load[0] for load in made[0].loads) == 3


@pytest.mark.slow
def test_processes_are_filled_evenly_and_a_trial_that_is_to_be_alone_has_its_own() -> None:
    study = read_study(Path("net.yaml"), ["sweep.seeds=9"], Path("found"))
    executor = Watched(study.base, 5, 2)
    tasks = [TrialTask(t.number, t.overrides, study.folder_of(t)) for t in study.samples()]
    for task in tasks[:4]:
        executor.give(task)
    assert executor.loads == [[1], [1, 1], [1, 1, 1], [2, 1, 1]]
    executor.give(TrialTask(4, tasks[4].overrides, tasks[4].folder, alone=True))
    assert executor.loads[-1] == [2, 1, 1, 1]
    assert not executor.free
    outcomes: dict[int, Outcome] = {}
    while executor.busy:
        outcomes |= {task.number: outcome for task, outcome in executor.outcomes(30)}
    assert {type(outcome) for outcome in outcomes.values()} == {Trained}
    assert sorted(outcomes) == [0, 1, 2, 3, 4]
    # A process that is alone with a trial gets no other.
    alone = executor._workers[0]
    alone.give(TrialTask(5, tasks[5].overrides, tasks[5].folder, alone=True))
    assert not alone.takes(tasks[6], 2)
    executor.close()
    assert all(each.dead for each in executor._workers)


@pytest.mark.slow
def test_trials_whose_process_is_killed_are_resumed_each_in_its_own() -> None:
    class Killed(Watched):
        killed = False

        def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
            first = self._workers[0]
            if not self.killed and all((task.folder / "checkpoints").exists() for task in first.tasks.values()):
                self.killed = True
                first.process.kill()
            return super().outcomes(0.02)

    made: list[Killed] = []

    def executor(base: Loaded) -> Killed:
        made.append(Killed(base, 3, 3))
        return made[-1]

    overrides = ("sweep.seeds=3", "schedule.epochs=300")
    results = swept("found", overrides, executor)
    assert [result.status for result in results] == ["finished"] * 3
    assert made[0].given == [0, 1, 2, 0, 1, 2]
    assert made[0].loads[-1] == [1, 1, 1]
    swept("whole", overrides, lambda base: LocalProcesses(base, 1))
    assert folders("found") == folders("whole")


@pytest.mark.slow
@pytest.mark.parametrize(("backend", "epochs"), [("numpy", 300), ("cpu", 3000)])
def test_a_process_that_somebody_tells_to_end_saves_all_and_others_go_on_with_them(backend: str, epochs: int) -> None:
    class Told(Watched):
        told: ClassVar[list[int]] = []

        def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
            first = self._workers[0]
            if not self.told and first.ready and len(first.tasks) == 2:
                self.told.append(first.process.pid or 0)
                first.process.terminate()
            return super().outcomes(0.02)

    settings = ("sweep.seeds=2", f"schedule.epochs={epochs}", "schedule.early_stopping=null")
    overrides = (*settings, BACKENDS[backend])
    results = swept("found", overrides, lambda base: Told(base, 2, 2))
    assert [result.status for result in results] == ["finished"] * 2
    assert Told.told
    swept("whole", overrides, lambda base: LocalProcesses(base, 1))
    assert folders("found") == folders("whole")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_sweep_that_is_stopped_saves_the_trials_of_its_process(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    witness = Witness(tmp_path_factory.mktemp("witness") / "hearing")
    settings = ("sweep.together=2", "sweep.seeds=2", "schedule.epochs=40000", "schedule.early_stopping=null")
    line = ("sweep", "net.yaml", "--out", "found", "-j", "2", *(word for each in settings for word in ("--set", each)))
    with subprocess.Popen(
        [sys.executable, "-m", "nnctl", *line], stderr=subprocess.PIPE, text=True, env=witness.environment
    ) as process:
        witness.wait_for("0000", "0001")
        before = [Path(f"found/{name}/checkpoints/last.safetensors").read_bytes() for name in ("0000", "0001")]
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    witness.close()
    assert process.returncode == 143, said
    for name, content in zip(("0000", "0001"), before, strict=True):
        assert Path(f"found/{name}/checkpoints/last.safetensors").read_bytes() != content
        assert "together" not in Path(f"found/{name}/spec.yaml").read_text()


@pytest.mark.slow
def test_trials_and_their_rungs_outlive_the_kill_of_who_began_them(tmp_path: Path) -> None:
    """Three in one process wait for each other at seconds; their parent is killed, and the same line goes on."""
    asked = (
        "sweep={space: {optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1e-2}}, trials: 4, together: 3,"
        " sampler: random, monitor: validation_cost,"
        " pruner: {type: halving, rungs: [0.1 seconds, 0.3 seconds], factor: 2}}",
        "schedule={epochs: 1500, batch_size: 10}",
    )
    witness = Witness(tmp_path / "witness")
    line = ("sweep", "net.yaml", *(f"--set={setting}" for setting in asked), "--out", "found", "-j", "3", "-q")
    with subprocess.Popen(
        [sys.executable, "-m", "nnctl", *line],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=witness.environment,
    ) as process:
        witness.wait_for("0000", "0001", "0002")
        process.kill()
        # Its pipe ends with the last process beneath it, which saves what it trains.
        process.communicate(timeout=60)
    witness.close()
    kept = {path.parent.name: path.read_bytes() for path in Path("found").glob("0*/metrics.jsonl")}
    results = swept("found", asked, lambda base: LocalProcesses(base, 3, 3))
    assert sorted(result.rung or 99.0 for result in results) == [0.1, 0.1, 0.3, 99.0]
    for result in results:
        path = Path(result.folder, "metrics.jsonl")
        # No row is measured twice, and each lies where its row says.
        assert path.read_bytes().startswith(kept.get(path.parent.name, b""))
        if result.rung is not None:
            rows = evaluations(RunFolder(Path(result.folder)))
            first = next(row for row in rows if row["seconds"] >= result.rung)
            assert (first["epoch"], first["validation_cost"]) == (result.epochs, result.metrics["validation_cost"])
    assert swept("found", asked, lambda base: LocalProcesses(base, 1)) == results
    study = read_study(Path("net.yaml"), asked, Path("found"))
    best = next(result for result in results if result.status == "finished")
    follow(session.train(load_trial(study.base, best.trial.overrides), out=Path("alone")), [RunSink()])
    assert contents(best.folder) == contents("alone")


# -- memory ------------------------------------------------------------------------------


def task(number: int, alone: bool = False) -> TrialTask:
    return TrialTask(number, (), Path(f"000{number}"), alone=alone)


class Steps:
    """Trainings of so many turns; a trial finds memory for itself and `most` at a time."""

    def __init__(self, most: int, turns: int = 3) -> None:
        self.most, self.turns = most, turns
        self.under_way: list[int] = []
        self.seen: list[tuple[int, ...]] = []

    def begin(self, task: TrialTask) -> Generator[None, None, Outcome]:
        self.under_way.append(task.number)
        try:
            self.seen.append(tuple(sorted(self.under_way)))
            if len(self.under_way) > self.most:
                return Failed("failed", "no memory", 2, cramped=True)
            for _ in range(self.turns):
                yield
            return Trained({})
        finally:
            self.under_way.remove(task.number)


def ends(trials: Trials) -> list[Ended]:
    found = []
    while trials:
        if (ended := trials.turn()) is not None:
            found.append(ended)
    return found


def test_who_finds_no_memory_beside_others_is_tried_again_alone_and_no_more_run_at_a_time() -> None:
    steps = Steps(most=2)
    trials = Trials(steps.begin)
    for number in range(6):
        trials.take(task(number))
    found = ends(trials)
    assert sorted(each.number for each in found) == list(range(6))
    assert {type(each.outcome) for each in found} == {Trained}
    # One had to fail for it to be known.
    assert [len(each) for each in steps.seen].count(3) == 1
    assert (2,) in steps.seen


def test_who_finds_no_memory_alone_has_failed() -> None:
    steps = Steps(most=0)
    trials = Trials(steps.begin)
    trials.take(task(0))
    assert ends(trials) == [Ended(0, Failed("failed", "no memory", 2, cramped=True))]


def test_who_is_to_be_alone_waits_for_the_others_and_they_for_him() -> None:
    steps = Steps(most=9)
    trials = Trials(steps.begin)
    for number, alone in enumerate((False, False, True, False)):
        trials.take(task(number, alone))
    assert len(ends(trials)) == 4
    assert steps.seen == [(0,), (0, 1), (2,), (3,)]


@pytest.mark.parametrize("error", [MemoryError("Unable to allocate 3. TiB"), DeviceLost("device 0 is lost")])
def test_what_the_machine_has_not_or_loses_is_given_another_try(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise error

    study = read_study(Path("net.yaml"), ["sweep.seeds=2"], Path("found"))
    monkeypatch.setattr(session, "train", refuse)
    outcome = worker.train(study.base, task(0), StopRequest())
    assert isinstance(outcome, Failed)
    assert outcome.again
    assert (outcome.cramped, outcome.lost) == (isinstance(error, MemoryError), isinstance(error, DeviceLost))


def test_a_process_whose_device_is_lost_takes_no_more() -> None:
    class Pipe:
        def recv(self) -> Ended:
            return Ended(0, Failed("failed", "device 0 is lost", 2, again=True, lost=True))

        def send(self, given: TrialTask) -> None:
            """Nothing."""

    process = Worker.__new__(Worker)
    process.connection, process.tasks = Pipe(), {}  # type: ignore[assignment]
    process.leaving = process.dead = False
    process.give(task(0))
    process.give(task(1))
    assert [each.number for each, _ in process.take(stopping=False)] == [0]
    assert process.leaving
    assert not process.takes(task(2), together=8)
    assert list(process.tasks) == [1]


def test_a_process_that_has_lost_its_device_says_so_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Ended] = []

    class Pipe:
        given: ClassVar[list[TrialTask]] = [task(0), task(1)]

        def poll(self, seconds: float | None) -> bool:
            return bool(self.given)

        def recv(self) -> TrialTask:
            return self.given.pop(0)

        def send(self, ended: Ended) -> None:
            said.append(ended)

    def begin(task: TrialTask) -> Generator[None, None, Outcome]:
        yield
        return Failed("failed", "device 0 is lost", 2, again=True, lost=True)

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(worker.os, "_exit", end)
    with pytest.raises(SystemExit) as ended:
        worker._answer(Pipe(), Trials(begin), None, lambda reading: Read(None))  # type: ignore[arg-type]
    assert ended.value.code == 1
    assert [each.number for each in said] == [0]


def test_a_process_looks_for_more_trials_every_few_milliseconds_not_at_every_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks, turns, begun, clock = [0], [0], [], [0.0]

    class Pipe:
        given: ClassVar[list[TrialTask]] = [task(0)]

        def poll(self, seconds: float | None) -> bool:
            looks[0] += 1
            return bool(self.given)

        def recv(self) -> TrialTask:
            return self.given.pop(0)

        def send(self, ended: Ended) -> None:
            assert isinstance(ended.outcome, Trained)

    def begin(given: TrialTask) -> Generator[None, None, Outcome]:
        begun.append((given.number, turns[0]))
        for _ in range(100):
            turns[0] += 1
            if turns[0] == 50:
                Pipe.given.append(task(1))
            clock[0] += 0.001
            yield
        return Trained({})

    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[0])
    worker._answer(Pipe(), Trials(begin), None, lambda reading: Read(None))  # type: ignore[arg-type]
    # The second is found within 5 ms; what is between the first turn and the last are 200 of 1 ms.
    assert [number for number, _ in begun] == [0, 1]
    assert 50 <= begun[1][1] <= 55
    assert 40 <= looks[0] <= 45


# -- the choice --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "cores", "jobs", "expected"),
    [
        ((), 16, 8, 1),  # on the CPU a process each
        (("sweep.together=3",), 16, 8, 3),
        (("sweep.together=3",), 16, 1, 1),
        (("backend=cuda",), 2, 8, 8),
        (("backend=cuda",), 2, 100, 32),
        (("backend=cuda",), 16, 8, 2),
        (("backend=cuda",), 16, 30, 8),
        (("backend=cuda", "sweep.together=1"), 2, 8, 1),
    ],
)
def test_the_backend_says_how_many_unless_the_spec_does(
    monkeypatch: pytest.MonkeyPatch, settings: Sequence[str], cores: int, jobs: int, expected: int
) -> None:
    monkeypatch.setattr(component, "cores", lambda: cores)
    study = read_study(Path("net.yaml"), ["sweep.seeds=200", *settings], Path("found"))
    executor = choice.open_executor("local", study, jobs)
    assert isinstance(executor, LocalProcesses)
    assert (executor._jobs, executor.together) == (jobs, expected)


def test_auto_is_what_can_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Cuda, "obstacle", lambda self: None)
    assert likely(Auto()).type == "cuda"
    monkeypatch.setattr(Cuda, "obstacle", lambda self: "there is no GPU")
    assert likely(Auto()).together(8) == 1


def test_how_many_train_together_makes_no_other_study() -> None:
    here, there = (read_study(Path("net.yaml"), ["sweep.seeds=2", *more]) for more in ((), ("sweep.together=2",)))
    assert here.key == there.key
    assert here.folder == there.folder


def test_no_more_processes_than_are_of_use_count_trials_of_each() -> None:
    require_processes(10_000, 20_000, together=1000)
