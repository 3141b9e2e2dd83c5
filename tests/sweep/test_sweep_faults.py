"""A sweep on a disk that fails at each of its operations in turn, killed or full; then its line again."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from faults import FaultyDisk, Killed, Loss
from run_contents import contents

from nnctl.errors import RunError
from nnctl.runs import durable
from nnctl.spec.load import Loaded
from nnctl.sweep.executors import worker
from nnctl.sweep.executors.contract import Outcome, TrialTask
from nnctl.sweep.results_file import write_results
from nnctl.sweep.runner import run
from nnctl.sweep.study import read_study
from nnctl.sweep.trial_result import TrialResult
from nnctl.training.signals import StopRequest

SPEC = """
name: tiny
data: {type: blobs, examples: 24, validation: 6}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1, batch_size: 12}
backend: numpy
sweep: {grid: {optimizer.learning_rate: [0.01, 0.1]}, monitor: validation_cost}
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


class InThisProcess:
    """An executor of one trial after the other, where the disk's double is."""

    together = 1

    def __init__(self, base: Loaded) -> None:
        self.base, self.task = base, None

    base: Loaded
    task: TrialTask | None

    @property
    def busy(self) -> bool:
        return self.task is not None

    @property
    def free(self) -> bool:
        return self.task is None

    def read(self, task: TrialTask) -> bool:
        return False

    def give(self, task: TrialTask) -> None:
        self.task = task

    def outcomes(self, seconds: float) -> list[tuple[TrialTask, Outcome]]:
        task, self.task = self.task, None
        return [] if task is None else [(task, worker.train(self.base, task, StopRequest()))]

    def halt(self) -> None:
        """Nothing is under way between two calls."""

    def close(self) -> None:
        """Nothing is held."""


def sweep(out: str) -> list[TrialResult]:
    study = read_study(Path("net.yaml"), [], Path(out))
    results = list(run(study, InThisProcess(study.base), StopRequest()))
    write_results(study, results)
    return results


def told_by_sweep(out: str) -> tuple[str, set[int]]:
    """What a sweep says of its faults, and their exit codes."""
    try:
        failed = [result for result in sweep(out) if result.status != "finished"]
    except RunError as error:
        return str(error), {error.exit_code}
    assert all(result.again for result in failed)
    return "".join(str(result.error) for result in failed), {result.exit_code for result in failed}


def operations_of(out: str) -> int:
    disk = FaultyDisk()
    with disk.installed():
        sweep(out)
    return disk.operations


def again(out: str) -> None:
    with FaultyDisk().installed():
        results = sweep(out)
    assert [result.status for result in results] == ["finished", "finished"]
    assert contents(out) == contents("whole")


@pytest.mark.slow
@pytest.mark.parametrize("losing", ["nothing", "both"])
def test_killed_at_any_operation_the_same_line_ends_with_the_same_bytes(losing: Loss) -> None:
    operations = operations_of("whole")
    assert operations > 60
    for point in range(operations):
        disk = FaultyDisk(dies_at=point, losing=losing)
        with disk.installed(), pytest.raises(Killed):
            sweep("found")
        disk.lose()
        again("found")
        shutil.rmtree("found")


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_the_same_line_goes_on() -> None:
    operations = operations_of("whole")
    for point in range(operations):
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with FaultyDisk(refuses=(point, full)).installed():
            said, codes = told_by_sweep("found")
        assert os.strerror(errno.ENOSPC) in said
        assert codes == {2}
        assert not [path for path in Path("found").rglob("*") if durable.is_leftover(path.name)]
        again("found")
        shutil.rmtree("found")
