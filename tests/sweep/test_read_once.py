"""Who reads the data of a sweep first: a worker, which keeps them; what it cannot read is said by the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnctl.errors import DataError
from nnctl.process import memory
from nnctl.sweep.executors import local
from nnctl.sweep.executors.contract import TrialTask
from nnctl.sweep.executors.local import LocalProcesses
from nnctl.sweep.runner import run
from nnctl.sweep.study import Study, read_study
from nnctl.training.signals import StopRequest

SPEC = """\
data: {type: npz, path: rows.npz, validation: 10}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
backend: numpy
sweep: {seeds: 3}
"""
PROGRAM = """
import sys
from nnctl.cli import main
if __name__ == "__main__":
    code = main(["sweep", "net.yaml", "-j", "2", "--out", "found", "--quiet"])
    print(code, "numpy" in sys.modules, file=sys.stderr)
"""
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    np.savez("rows.npz", inputs=np.eye(40, 3, dtype=np.float32), targets=np.arange(40) % 2)


def first(study: Study) -> TrialTask:
    trial = next(iter(study.samples()))
    return TrialTask(trial.number, trial.overrides, study.folder_of(trial))


def test_the_process_that_hands_out_trials_does_without_numpy() -> None:
    Path("sweep.py").write_text(PROGRAM)
    done = subprocess.run([sys.executable, "sweep.py"], capture_output=True, text=True, check=False)
    assert (done.stderr, len(done.stdout.splitlines())) == ("0 False\n", 3)


def test_a_worker_says_that_it_has_read_and_what_it_took() -> None:
    study = read_study(Path("net.yaml"), [], Path("found"))
    executor = LocalProcesses(study.base, 2)
    assert executor.read(first(study))
    taken = executor._taken
    assert taken is not None
    assert 1 << 20 < taken < memory.available()
    executor.close()
    assert [result.status for result in run(study, LocalProcesses(study.base, 2), StopRequest())] == ["finished"] * 3


def test_what_a_worker_cannot_read_is_said_by_the_command() -> None:
    study = read_study(Path("net.yaml"), [], Path("found"))
    Path("rows.npz").write_bytes(b"no array")
    with pytest.raises(DataError, match=r"rows\.npz"):
        list(run(study, LocalProcesses(study.base, 2), StopRequest()))


def test_a_worker_that_dies_as_it_reads_leaves_it_to_the_command() -> None:
    study = read_study(Path("net.yaml"), [], Path("found"))

    class Deadly(LocalProcesses):
        def read(self, task: TrialTask) -> bool:
            worker = self._started()
            worker.process.kill()
            worker.process.join()
            assert worker.read(task.overrides) is None
            return False

    assert [result.status for result in run(study, Deadly(study.base, 1), StopRequest())] == ["finished"] * 3


def test_a_first_worker_whose_threads_are_too_few_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is memory for fewer processes than cores, each has more threads."""
    monkeypatch.setattr(local, "cores", lambda: 4)
    study = read_study(Path("net.yaml"), [], Path("found"))
    executor = LocalProcesses(study.base, 3, as_fit=True)
    assert executor.read(first(study))
    (reader,) = executor._workers
    taken = executor._taken
    assert taken is not None
    monkeypatch.setattr(memory, "available", lambda: 3 * taken)
    results = list(run(study, executor, StopRequest()))
    assert [result.status for result in results] == ["finished"] * 3
    assert reader.dead
