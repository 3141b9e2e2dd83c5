"""Trials of a sweep at an address: each is trained in a folder of the machine's own, and carried there."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from nnctl.sweep.executors.contract import Elsewhere, Executor, Failed, Outcome, Trained, TrialTask
from nnctl.sweep.executors.worker import FULL, training_here

if TYPE_CHECKING:
    from nnctl.process.together import Work
    from nnctl.runs.carried import Carrier
    from nnctl.spec.load import Loaded
    from nnctl.sweep.away import Away
    from nnctl.training.events import Event
    from nnctl.training.kept import Kept
    from nnctl.training.signals import StopRequest

_LOGGER = logging.getLogger(__name__)
_PREFIX = "nnctl-trial-"
_OLD = 60.0
"""Seconds after which a folder that nobody has locked was left by a process that died."""


class CarriedTrials:
    """An `Executor` whose trials lie at an address; what they tell is here when their outcomes are."""

    def __init__(self, executor: Executor, away: Away) -> None:
        """Of an executor that trains them."""
        self._executor, self._away = executor, away

    @property
    def together(self) -> int:
        """That of the executor."""
        return self._executor.together

    @property
    def busy(self) -> bool:
        """That of the executor."""
        return self._executor.busy

    @property
    def free(self) -> bool:
        """That of the executor."""
        return self._executor.free

    def read(self, task: TrialTask) -> bool:
        """Read as the executor does."""
        return self._executor.read(task)

    def give(self, task: TrialTask) -> None:
        """Begin a trial, or go on with it, from the address."""
        self._executor.give(replace(task, address=self._away.address))

    def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
        """The outcomes that have come. Raises RunError where what they tell cannot be brought."""
        found = self._executor.outcomes(seconds)
        for task, outcome in found:
            if not isinstance(outcome, Elsewhere):
                self._away.bring(task.number, finished=isinstance(outcome, Trained))
        return found

    def halt(self) -> None:
        """Let the trials under way save."""
        self._executor.halt()

    def close(self) -> None:
        """Close the executor."""
        self._executor.close()


class _Carrying:
    """A sink that carries a run with its checkpoints. Where that fails the next tries again, and the end at last."""

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier

    def handle(self, event: Event) -> None:
        """Carry what was saved."""
        from nnctl.errors import RunError
        from nnctl.training.events import Saved

        if isinstance(event, Saved) and self._carrier.due:
            try:
                self._carrier.carry()
            except RunError as error:
                _LOGGER.warning("%s", error)

    def close(self) -> None:
        """Do nothing."""


def training_there(
    base: Loaded, task: TrialTask, stop: StopRequest, kept: Callable[[], Kept] | None = None, threads: int = 1
) -> Work[Outcome]:
    """Do `training` for a trial at an address: go on with what was carried there last, whoever it was."""
    from nnctl.errors import NnctlError
    from nnctl.process.refusals import sentence_of
    from nnctl.runs.carried import Carrier
    from nnctl.runs.folder import RunFolder

    assert task.address is not None
    trial = task.folder.name
    try:
        with _working_folder() as folder:
            run = RunFolder(folder / trial)
            carrier = Carrier(task.address.place(), trial, run)
            there = replace(task, folder=run.path)
            outcome = yield from training_here(base, there, stop, kept, threads, [_Carrying(carrier)])
            carrier.carry()
            if isinstance(outcome, Failed):
                return replace(outcome, message=outcome.message.replace(str(run.path), f"{task.address}/{trial}"))
            return outcome
    except NnctlError as error:
        return Failed("failed", str(error), error.exit_code, again=True)
    except OSError as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        return Failed("failed", sentence, 2, again=True, full=error.errno in FULL)


@contextmanager
def _working_folder() -> Iterator[Path]:
    """A folder for one trial, which is gone at the end; those that were left by processes that died go, too."""
    from nnctl.runs.lock import Lock, is_locked

    for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        try:
            abandoned = time.time() - old.stat().st_mtime > _OLD and not is_locked(old / "lock")
        except OSError:
            continue  # It is gone, or another user's.
        if abandoned:
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as made:
        folder = Path(made).resolve()
        lock = Lock.attempt(folder / "lock")
        assert lock is not None
        try:
            yield folder
        finally:
            lock.release()
