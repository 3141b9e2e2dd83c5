"""Workers of a Dask cluster: trials as its tasks, wherever its scheduler puts them.

Where a worker is lost, Dask gives its trial to another, which goes on from the last checkpoint in the sweep's folder.
"""

from __future__ import annotations

import logging
import pickle
import time
import uuid
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pkgutil import resolve_name
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from nnctl.errors import RunError
from nnctl.runs.durable import read_file, remove_durably, write_durably
from nnctl.runs.folder import STUDY
from nnctl.runs.lock import Lock
from nnctl.runs.sealed import sha256
from nnctl.sweep.executors import remote
from nnctl.sweep.executors.contract import Failed, Halted, Outcome, TrialTask
from nnctl.sweep.executors.encryption import failure_of, require_certificates
from nnctl.sweep.executors.local import PATIENCE
from nnctl.sweep.executors.remote import Call, Unfit
from nnctl.sweep.executors.worker import FOR_MEMORY

if TYPE_CHECKING:
    from distributed import Client, Future

    from nnctl.sweep.study import Study

_CONNECT = 5.0
"""Seconds in which a scheduler answers."""
_COUNT = 1.0
"""Seconds for which the number of the workers' threads is believed."""
_BEACON = ".beacon-"
_LOGGER = logging.getLogger(__name__)
_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application")


def connect(where: Any, name: str) -> Client:
    """A client of a scheduler, by its address or its cluster; `name`: in messages. Raises RunError, UsageError."""
    from distributed import Client

    if isinstance(where, str):
        require_certificates(where, name)
    for logger in _LOGGERS:
        # What it reports here as errors comes back as exceptions, and is told once.
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return Client(where, timeout=_CONNECT, set_as_default=False, name="nnctl")
    except (OSError, ValueError) as error:
        unsafe = failure_of(error)
        if unsafe is not None:
            raise RunError(
                f"{name}: the scheduler and this process do not come to an encrypted connection: {unsafe}\n"
                "  certificates of one authority, for both; a scheduler without them is dask://"
            ) from error
        raise RunError(
            f"{name}: no Dask scheduler answers there\n"
            "  is it running (dask scheduler), and can this machine reach it? one with certificates is tls://"
        ) from error
    except RuntimeError as error:
        # Its configuration requires what the address does not have.
        raise RunError(f"{name}: {error}") from error


class DaskWorkers:
    """An `Executor` of Dask's workers. Each trial runs in a process of its own beneath the worker's."""

    def __init__(
        self, study: Study, client: Client, name: str, jobs: int | None, close_cluster: Callable[[], None] | None = None
    ) -> None:
        """Of a client; `name`: the cluster's in messages. jobs: trials at a time; as many as threads if None.

        close_cluster: ends what was started for this sweep; None where the cluster is there by itself.
        """
        self._study, self._client, self._name, self._jobs = study, client, name, jobs
        self._close_cluster = close_cluster
        self._call: Call | None = None
        self._lock: Lock | None = None
        self._under_way: dict[str, tuple[TrialTask, Future[Any]]] = {}
        self._done: SimpleQueue[Future[Any]] = SimpleQueue()
        self._given = 0
        self._threads = (0, -_COUNT)
        self._halted = self._alone = False

    @property
    def together(self) -> int:
        """1: of a worker each thread has a process for its trials."""
        return 1

    @property
    def busy(self) -> bool:
        """True where a trial was given whose outcome has not come."""
        return bool(self._under_way)

    @property
    def free(self) -> bool:
        """True where fewer trials were given than may be at a time. One may wait where there are no workers yet."""
        most = self._jobs if self._jobs is not None else max(1, self._count())
        return not self._halted and len(self._under_way) < most

    def read(self, task: TrialTask) -> bool:
        """False: the first worker may be long in coming."""
        return False

    def give(self, task: TrialTask) -> None:
        """Give a trial to Dask; before the first, see that every worker can train it. Raises RunError."""
        if self._call is None:
            self._call = self._announced()
            self._require_fitting(self._call)
        there = replace(task, folder=task.folder.absolute())
        key = f"nnctl-{self._call.token}-{task.number}-{self._given}"
        self._given += 1
        try:
            future = self._client.submit(remote.train_apart, self._call, there, key=key, pure=False, retries=0)
        except (OSError, RuntimeError) as error:
            raise self._gone() from error
        self._under_way[key] = task, future
        future.add_done_callback(self._done.put)

    def outcomes(self, seconds: float) -> Sequence[tuple[TrialTask, Outcome]]:
        """The outcomes that have come. Raises RunError where the scheduler has gone, or a worker does not fit."""
        if self._halted:
            self._tell_halt()
        found: list[tuple[TrialTask, Outcome]] = []
        try:
            while True:
                future = self._done.get(timeout=0 if found else seconds)
                task, _ = self._under_way[future.key]
                outcome = self._outcome(future)
                if outcome is not None:
                    del self._under_way[future.key]
                    found.append((task, outcome))
        except Empty:
            self._say_whether_alone()
            return found

    def _say_whether_alone(self) -> None:
        """Tell people, once, that trials wait because no worker is there."""
        alone = bool(self._under_way) and not self._halted and self._count() == 0
        if alone and not self._alone:
            _LOGGER.warning("%s: no worker is there: trials wait for one", self._name)
        self._alone = alone

    def halt(self) -> None:
        """Have the trials under way save and stop, and withdraw those that no worker has begun."""
        self._halted = True
        self._tell_halt()

    def close(self) -> None:
        """Halt what is under way, wait for it, and leave the cluster; end it where it was started for this sweep."""
        self._halted = True
        deadline = time.monotonic() + PATIENCE
        while self._under_way and self._client.status == "running" and time.monotonic() < deadline:
            try:
                self.outcomes(0.5)
            except RunError:
                break  # Something else ends the sweep, or has told this already.
        if self._call is not None and self._lock is not None:
            self._run(remote.forget, self._call.token)
            self._lock.release()
            remove_durably(self._call.folder / self._call.beacon)
            self._call = self._lock = None
        self._client.close(timeout=_CONNECT)
        if self._close_cluster is not None:
            self._close_cluster()
            self._close_cluster = None

    def _announced(self) -> Call:
        """The sweep as workers know it, with a locked beacon in its folder."""
        token = uuid.uuid4().hex[:12]
        folder = self._study.folder.absolute()
        base = replace(self._study.base, folder=self._study.base.folder.absolute())
        for old in folder.glob(f"{_BEACON}*"):
            if (lock := Lock.attempt(old)) is not None:  # of a client that has died
                lock.release()
                remove_durably(old)
        beacon = folder / f"{_BEACON}{token}"
        write_durably(beacon, token.encode())
        self._lock = Lock.attempt(beacon)
        away = self._study.away
        address = None if away is None else (away.address, sha256(read_file(folder / STUDY)))
        return Call(token, folder, beacon.name, remote.versions(), pickle.dumps(base), address)

    def _require_fitting(self, call: Call) -> None:
        """Raise RunError where a worker cannot train trials. Those that come later see for themselves."""
        # Nothing of nnctl's is named before it is known to be there, and to be this one.
        for worker, found in self._run(resolve_name, "nnctl:__version__").items():
            version = "none" if isinstance(found, ImportError) else found
            unfit = remote.differing(call, worker, {**call.versions, "nnctl": version})
            if unfit is not None:
                raise RunError(unfit.sentence)
        answers = self._run(remote.fitness_of, call)
        if not answers and self._jobs is None and self._close_cluster is None:
            raise RunError(f"{self._name}: the scheduler has no workers\n  start some: dask worker ADDRESS")
        for worker, answer in answers.items():
            if isinstance(answer, Unfit):
                raise RunError(answer.sentence)
            if isinstance(answer, Exception):
                raise RunError(f"the worker {worker} cannot run nnctl: {answer}") from answer

    def _outcome(self, future: Future[Any]) -> Outcome | None:
        """The outcome of a task that is done; None where its result was lost with its worker, and is made again."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        try:
            outcome = future.result(timeout=_CONNECT)
        except TimeoutError:
            future.add_done_callback(self._done.put)
            return None
        except KilledWorker:
            return Halted() if self._halted else _killed()
        except CancelledError as error:
            if self._halted:
                return Halted()
            raise self._gone() from error
        except Exception as error:
            raise RunError(f"{self._name}: a worker could not run a trial: {type(error).__name__}: {error}") from error
        if isinstance(outcome, Unfit):
            raise RunError(outcome.sentence)
        found: Outcome = outcome
        return found

    def _tell_halt(self) -> None:
        """Tell every worker, those that have come meanwhile as well, and withdraw what none has begun."""
        if self._call is None or self._client.status != "running":
            return
        self._run(remote.halt, self._call.token)
        begun = {key for keys in self._client.processing().values() for key in keys}
        waiting = [f for key, (_, f) in self._under_way.items() if key not in begun and not f.done()]
        if waiting:
            self._client.cancel(waiting)

    def _run(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Results of a function on each worker, or what it raised, by address; none of those that leave meanwhile."""
        try:
            found = self._client.run(function, *arguments, on_error="return")
        except (OSError, TimeoutError, RuntimeError):
            return {}  # The scheduler has gone: the futures tell it.
        return {worker: answer for worker, answer in found.items() if not isinstance(answer, OSError)}

    def _count(self) -> int:
        """The number of the workers' threads."""
        count, then = self._threads
        if time.monotonic() - then >= _COUNT:
            try:
                count = sum(self._client.nthreads().values())
            except (OSError, TimeoutError) as error:
                raise self._gone() from error
            self._threads = count, time.monotonic()
        return count

    def _gone(self) -> RunError:
        return RunError(
            f"{self._name}: the scheduler has gone, or has withdrawn the trials\n"
            "  what is trained is saved: the same line again goes on"
        )


def _killed() -> Failed:
    """The failure of a trial under which worker after worker has died."""
    return Failed("killed", f"workers died under it, one after the other\n  {FOR_MEMORY}", 2, again=True, lost=True)
