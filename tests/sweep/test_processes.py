"""Processes of sweeps and runs that meet, die or are refused by the machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from witness import Witness

from nnctl.errors import RunError, UsageError
from nnctl.process import memory
from nnctl.spec.load import Loaded
from nnctl.sweep.executors import choice, local, worker
from nnctl.sweep.executors.choice import open_executor
from nnctl.sweep.executors.contract import Elsewhere, Failed, Outcome, Trained, TrialTask
from nnctl.sweep.executors.local import LocalProcesses, most_processes, require_processes
from nnctl.sweep.runner import run
from nnctl.sweep.study import read_study
from nnctl.sweep.trial import load_trial
from nnctl.sweep.trial_records import result_of_outcome
from nnctl.training import session
from nnctl.training.signals import StopRequest

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 3, batch_size: 10}
backend: numpy
"""
LONG = ("--set", "data.examples=20000", "--set", "schedule.epochs=100000", "--set", "schedule.batch_size=1")
NNCTL = (sys.executable, "-m", "nnctl")
pytestmark = pytest.mark.slow
psutil = pytest.importorskip("psutil")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


@pytest.fixture
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    made = Witness(tmp_path_factory.mktemp("witness") / "hearing")
    yield made
    made.close()


def start(*arguments: str, **options: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*NNCTL, *arguments], stdout=pipe, stderr=pipe, text=True, **options)


def nnctl(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*NNCTL, *arguments], capture_output=True, text=True, check=False, timeout=120, **options)


def test_two_processes_with_one_line_share_its_trials() -> None:
    line = ("sweep", "net.yaml", "--grid", "optimizer.learning_rate=0.01,0.03,0.1,0.3", "--seeds", "2", "--out")
    alone = nnctl(*line, "alone")
    with start(*line, "found") as one, start(*line, "found") as other:
        ends = [process.communicate(timeout=120) for process in (one, other)]
        assert [process.returncode for process in (one, other)] == [0, 0], ends
    results = json.loads(Path("alone/results.json").read_text())
    assert json.loads(Path("found/results.json").read_text()) == results
    for printed, _ in ends:
        rows = [json.loads(row) for row in printed.splitlines()]
        assert [row["status"] for row in rows] == ["finished"] * 8
        wanted = [json.loads(row) for row in alone.stdout.splitlines()]
        assert [row["metrics"] for row in rows] == [row["metrics"] for row in wanted]
    assert len(list(Path("found").iterdir())) == 11


def test_a_trial_of_a_process_that_dies_is_taken_over_by_who_waits(
    witness: Witness, tmp_path_factory: pytest.TempPathFactory
) -> None:
    of_the_second = Witness(tmp_path_factory.mktemp("second") / "hearing")
    line = ("sweep", "net.yaml", "--grid", "schedule.epochs=3000,1", "-j", "1", "--out", "found")
    with start(*line, env=witness.environment) as first:
        witness.wait_for("0000")
        with start(*line, env=of_the_second.environment) as second:
            # It leaves the first trial to the other process, trains the second, and has then nothing to do but to wait.
            of_the_second.wait_for("0001")
            for process in (first, *psutil.Process(first.pid).children(recursive=True)):
                process.kill()
            first.communicate()
            printed, said = second.communicate(timeout=120)
    of_the_second.close()
    assert second.returncode == 0, said
    assert [json.loads(line)["status"] for line in printed.splitlines()] == ["finished"] * 2


def test_a_trial_that_another_process_trains_is_left_to_it_or_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    study = read_study(Path("net.yaml"), ["sweep.seeds=2"], Path("found"))
    task = TrialTask(0, next(iter(study.samples())).overrides, Path("found/0000"))
    events = session.train(load_trial(study.base, task.overrides), out=task.folder)
    next(events)
    assert worker.train(study.base, task, StopRequest()) == Elsewhere()

    def finish(seconds: float) -> None:
        list(events)

    monkeypatch.setattr(worker.time, "sleep", finish)
    patient = TrialTask(0, task.overrides, task.folder, patient=True)
    assert isinstance(worker.train(study.base, patient, StopRequest()), Trained)


@pytest.mark.parametrize("resume", [(), ("--resume",)], ids=["new", "resume"])
def test_two_trainings_into_one_folder_are_refused_and_the_first_goes_on(
    witness: Witness, resume: tuple[str, ...]
) -> None:
    with start("train", "net.yaml", "--out", "0000", *LONG, env=witness.environment) as first:
        witness.wait_for("0000")
        refused = nnctl("train", "net.yaml", "--out", "0000", *LONG, *resume)
        assert refused.returncode == 2
        words = ("another process is training into this folder", "holds an unfinished run already")
        assert any(each in refused.stderr for each in words[: 1 if resume else 2])
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=60)
        assert first.returncode == 143


def test_workers_end_with_the_process_of_their_sweep(witness: Witness) -> None:
    with start("sweep", "net.yaml", "--grid", "seed=1,2", "-j", "2", "--out", "found", *LONG,
               env=witness.environment) as process:  # fmt: skip
        witness.wait_for("0000", "0001")
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
    assert psutil.wait_procs(children, timeout=20)[1] == []
    for name in ("0000", "0001"):
        assert Path("found", name, "checkpoints", "last.safetensors").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="shells of POSIX")
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full", "2>&-", "<&- >&- 2>&-"])
def test_a_sweep_whose_streams_are_closed_or_full_ends(redirection: str) -> None:
    line = f'"$@" {redirection}'
    done = subprocess.run(
        ["sh", "-c", line, "sh", *NNCTL, "sweep", "net.yaml", "--grid", "seed=1,2,3", "--out", "found"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if "full" in redirection else 0)


def test_workers_that_do_not_start_are_told_once(tmp_path: Path) -> None:
    """Here a module that only workers import is broken, as by an installation that is not whole."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "safetensors.py").write_text("import sys\nsys.exit('no numbers today')\n")
    done = nnctl(
        "sweep",
        "net.yaml",
        "--grid",
        "seed=1,2,3",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(broken), os.environ["PYTHONPATH"]])},
    )
    assert done.returncode == 2
    assert "no numbers today" in done.stderr
    assert done.stderr.count("worker process") == 1
    assert done.stderr.count("Traceback") <= 2  # of the early attempt and of the one that counts


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_file_too_large_is_the_machine_s_and_the_other_trials_go_on() -> None:
    hidden = "layers: [{type: dense, units: 4, activation: relu}, {type: dense"
    Path("net.yaml").write_text(SPEC.replace("layers: [{type: dense", hidden))
    Path("limited.sh").write_text('ulimit -f 64\nexec "$@"\n')
    done = subprocess.run(
        ["bash", "limited.sh", *NNCTL, "sweep", "net.yaml", "--grid", "layers.0.units=2,20000", "--out", "found"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2, done.stderr
    assert [row["status"] for row in rows] == ["finished", "failed"], done.stderr
    assert "File too large" in rows[1]["error"]
    assert "1 of 2 trials could not be trained" in done.stderr


def test_no_memory_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise MemoryError("Unable to allocate 3. TiB")

    study = read_study(Path("net.yaml"), ["sweep.seeds=2"], Path("found"))
    monkeypatch.setattr(session, "train", refuse)
    outcome = worker.train(study.base, TrialTask(0, (), Path("found/0000")), StopRequest())
    assert isinstance(outcome, Failed)
    assert (outcome.status, outcome.exit_code, outcome.again) == ("failed", 2, True)
    assert outcome.message.startswith("there is not enough memory: Unable to allocate 3. TiB\n  fewer trials at a time")


def test_the_end_of_a_trial_makes_no_folder_that_has_vanished() -> None:
    study = read_study(Path("net.yaml"), ["sweep.seeds=2"], Path("found"))
    study.claim()
    shutil.rmtree("found")
    trial = next(iter(study.samples()))
    with pytest.raises(RunError, match="the sweep's folder was moved or deleted while it ran"):
        result_of_outcome(
            study, trial, None, Failed("failed", "the run's folder was moved or deleted while it trained", 2)
        )
    assert not Path("found").exists()


def test_a_sweep_whose_folder_vanishes_ends_and_makes_no_other() -> None:
    study = read_study(Path("net.yaml"), ["sweep.seeds=3"], Path("found"))
    results = run(study, LocalProcesses(study.base, 1), StopRequest())
    next(results)
    shutil.rmtree("found")
    with pytest.raises(Exception, match="the sweep's folder was moved or deleted while it ran"):
        list(results)
    assert not Path("found").exists()


def test_a_trial_that_kills_every_process_is_given_up_and_the_others_go_on() -> None:
    """An executor whose processes die of trial 0."""

    class Deadly(LocalProcesses):
        given: ClassVar[list[int]] = []

        def give(self, task: TrialTask) -> None:
            self.given.append(task.number)
            super().give(task)
            if task.number == 0:
                busy = next(worker for worker in self._workers if task.number in worker.tasks)
                busy.process.kill()

    study = read_study(Path("net.yaml"), ["sweep.seeds=3"], Path("found"))
    results = list(run(study, Deadly(study.base, 1), StopRequest()))
    assert [(r.trial.number, r.status, r.again) for r in results] == [
        (0, "killed", True),
        (1, "finished", False),
        (2, "finished", False),
    ]
    assert Deadly.given == [0, 0, 0, 0, 0, 1, 2]
    assert results[0].error is not None
    assert "was killed by SIGKILL, as the system does where memory is short\n  fewer trials" in results[0].error


def test_a_trial_that_gets_further_each_time_may_lose_any_number_of_processes() -> None:
    """An executor whose processes die five times over trial 0, each time after a checkpoint."""

    class Deadly(LocalProcesses):
        given: ClassVar[list[int]] = []

        def give(self, task: TrialTask) -> None:
            self.given.append(task.number)
            super().give(task)
            dies = len(self.given) < 6
            while dies and not ended(task.folder, len(self.given)):
                time.sleep(0.01)
            if dies:
                busy = next(worker for worker in self._workers if task.number in worker.tasks)
                busy.process.kill()

    def ended(folder: Path, epochs: int) -> bool:
        rows = folder / "metrics.jsonl"
        return rows.exists() and len(rows.read_text().splitlines()) > 200 * epochs

    study = read_study(Path("net.yaml"), ["sweep.grid={schedule.epochs: [1500]}"], Path("found"))
    results = list(run(study, Deadly(study.base, 1), StopRequest()))
    assert [result.status for result in results] == ["finished"]
    assert Deadly.given == [0] * 6


def test_a_trial_whose_process_is_told_to_end_goes_on_in_another() -> None:
    class Told(LocalProcesses):
        given: ClassVar[list[int]] = []

        def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
            found = super().outcomes(seconds)
            for each in self._workers if not found and len(self.given) < 3 else ():
                if each.ready and each.tasks:
                    each.process.terminate()
            return found

        def give(self, task: TrialTask) -> None:
            self.given.append(task.number)
            super().give(task)

    study = read_study(Path("net.yaml"), ["sweep.grid={schedule.epochs: [1000]}"], Path("found"))
    results = list(run(study, Told(study.base, 1), StopRequest()))
    assert [result.status for result in results] == ["finished"]
    assert Told.given == [0] * 3


def threads_of(out: str, *asked: int) -> list[int]:
    """The threads that each trial of a sweep of four was trained with. asked: of `LocalProcesses`."""
    study = read_study(Path("net.yaml"), ["sweep.grid={seed: [1, 2, 3, 4]}", "backend=cpu"], Path(out))
    results = run(study, LocalProcesses(study.base, *asked), StopRequest())
    assert [result.status for result in results] == ["finished"] * 4
    return [json.loads((path / "summary.json").read_text())["threads"] for path in sorted(Path(out).glob("0*"))]


@pytest.mark.compile
def test_processes_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "cores", lambda: 6)
    assert threads_of("one", 1) == [6] * 4
    assert threads_of("two", 2) == [3] * 4
    assert threads_of("four", 4) == [1] * 4
    assert threads_of("together", 4, 2) == [3] * 4


def test_there_are_as_many_trials_at_a_time_as_there_are_cores_and_memory_for(monkeypatch: pytest.MonkeyPatch) -> None:
    study = read_study(Path("net.yaml"), ["sweep.grid={seed: [1, 2, 3, 4, 5, 6, 7, 8]}"], Path("found"))
    tasks = [TrialTask(t.number, t.overrides, study.folder_of(t)) for t in study.samples()]
    given: list[int] = []

    class Unstarted:
        """A worker process that is never started."""

        dead = leaving = False

        def __init__(self, base: Loaded, threads: int) -> None:
            self.tasks: dict[int, TrialTask] = {}
            given.append(threads)

        def takes(self, task: TrialTask, together: int) -> bool:
            return len(self.tasks) < together

        def give(self, task: TrialTask) -> None:
            self.tasks[task.number] = task

    def at_a_time(jobs: int | None, left: int) -> int:
        """The trials that are given before there is no room, with so many times the memory that this process took."""
        taken = memory.most_taken()
        monkeypatch.setattr(memory, "available", lambda: left * taken)
        executor = open_executor("local", study, jobs)
        waiting = list(tasks)
        while executor.free and waiting:
            executor.give(waiting.pop(0))
        return len(tasks) - len(waiting)

    monkeypatch.setattr(local, "Worker", Unstarted)
    for module in (local, choice):
        monkeypatch.setattr(module, "cores", lambda: 6)
    assert (at_a_time(None, 100), given.pop()) == (6, 1)
    assert (at_a_time(None, 7), given.pop()) == (3, 2)
    assert (at_a_time(None, 0), given.pop()) == (1, 6)
    assert at_a_time(5, 0) == 5


def test_no_more_processes_than_trials_and_than_are_of_use() -> None:
    require_processes(10_000, 6)
    with pytest.raises(UsageError, match=f"-j 10000: at most {most_processes()} processes at a time"):
        require_processes(10_000, 20_000)
    assert nnctl("sweep", "net.yaml", "--grid", "seed=1,2", "-j", "0").returncode == 2


def test_the_collector_does_not_look_at_what_workers_are_copied_with_and_goes_on_in_them() -> None:
    looks = "import gc, nnctl.sweep.executors.preloaded as _; print(gc.isenabled(), gc.get_freeze_count() > 50_000)"
    said = subprocess.run([sys.executable, "-c", looks], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["True", "True"]
