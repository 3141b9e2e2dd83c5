"""The part of a sweep that a Dask worker runs: a look at whether it fits, trials in processes, a word to halt them."""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from nnctl.errors import NnctlError
from nnctl.late import dataclass
from nnctl.runs.addresses import Address
from nnctl.runs.folder import STUDY
from nnctl.runs.lock import Lock
from nnctl.runs.sealed import sha256
from nnctl.sweep.executors.apart import NotStarted, Pool
from nnctl.sweep.executors.contract import Failed, Halted, Outcome, TrialTask
from nnctl.sweep.executors.local import PATIENCE

if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Worker

_LOOK = 0.1
"""Seconds between two looks at whether a trial should halt."""
_PACKAGES = ("nnctl", "numpy", "llvmlite")
"""Packages whose version every bit may depend on."""

_pool = Pool()
_halted: set[str] = set()
"""Tokens of the sweeps that begin no more trials."""
_fitting: set[str] = set()
"""Tokens of the sweeps that this process fits."""


@dataclass(frozen=True)
class Unfit:
    """The worker cannot train trials of the sweep. sentence: what is wrong with it, its address, and the fix."""

    sentence: str


@dataclass(frozen=True)
class Call:
    """A sweep as its workers know it.

    token: its name, of this client alone. folder: an absolute path, the same on every worker. beacon: the name of
    a file in it whose content is the token, and which the client has locked. versions: the client's, by name.
    base: the spec, a pickled `Loaded`. address: of the sweep, where that is no folder, and the digest of the record
    of its search there.
    """

    token: str
    folder: Path
    beacon: str
    versions: Mapping[str, str]
    base: bytes
    address: tuple[Address, str] | None = None


def versions() -> dict[str, str]:
    """The versions of what computes: Python's and those of the packages, by name; "none" of one that is not there."""
    found = {"Python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = str(import_module(name).__version__)
        except ImportError:
            found[name] = "none"
    return found


def fitness(call: Call, worker: str) -> Unfit | None:
    """None where this process can train trials of the sweep; `worker`: its address."""
    if call.token in _fitting:
        return None
    found = differing(call, worker, versions()) or (_seen if call.address is None else _reached)(call, worker)
    if found is None:
        _fitting.add(call.token)
    return found


def differing(call: Call, worker: str, found: Mapping[str, str]) -> Unfit | None:
    """The words where a worker's versions are not the client's, None where they are."""
    differ = [
        f"{name} {found.get(name, 'none')} there, {wanted} here"
        for name, wanted in call.versions.items()
        if found.get(name) != wanted
    ]
    if not differ:
        return None
    return Unfit(
        f"the worker {worker} has other versions: {'; '.join(differ)}\n  results might differ: install the same"
    )


def _seen(call: Call, worker: str) -> Unfit | None:
    beacon = call.folder / call.beacon
    try:
        seen = beacon.read_text() == call.token
        writable = os.access(call.folder, os.W_OK)
    except OSError:
        seen = writable = False
    if not seen:
        return Unfit(
            f"{call.folder}: a folder that the worker {worker} does not see\n"
            "  --out names one that every machine has at the same path, as on a shared disk"
        )
    if not writable:
        return Unfit(f"{call.folder}: the worker {worker} may not write there\n  open it to the user that runs workers")
    if _lockable(beacon):
        return Unfit(
            f"{call.folder}: locks of files there do not reach the worker {worker}, and two machines might train one "
            "trial\n  use a file system whose locks do (NFS 4, or Lustre mounted with flock)"
        )
    return None


def _reached(call: Call, worker: str) -> Unfit | None:
    """The words where a worker does not reach the sweep's address as the client does, None where it does."""
    assert call.address is not None
    address, digest = call.address
    try:
        place = address.place()
        place.require_usable(new=True)
        study = place.read(STUDY)
    except NnctlError as error:
        return Unfit(f"the worker {worker}: {error}")
    if study is None or sha256(study) != digest:
        return Unfit(
            f"{address}: is another place for the worker {worker}, or for what it runs on\n"
            "  --out names an address that means the same on every machine"
        )
    return None


def _lockable(beacon: Path) -> bool:
    """True where this process can lock what the client has locked."""
    try:
        lock = Lock.attempt(beacon)
    except OSError:
        return True
    if lock is not None:
        lock.release()
    return lock is not None


def train_apart(call: Call, task: TrialTask) -> Outcome | Unfit:
    """Train a trial in a process beneath this worker; or go on with it, whoever began it.

    The process saves and stops where the sweep is halted, where Dask has withdrawn the task (the client has gone), and
    where this worker ends.
    """
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()
    unfit = fitness(call, worker.address)
    if unfit is not None:
        return unfit
    if call.token in _halted:
        return Halted()
    try:
        process = _pool.take(call.base)
    except OSError as error:
        where = f"on {socket.gethostname()}"
        return Failed("failed", f"no worker process can be started {where}: {error.strerror}", 2, again=True)
    process.give(task)
    told: float | None = None
    try:
        while (outcome := process.take(_LOOK)) is None:
            if told is not None:
                if time.monotonic() - told > PATIENCE:
                    process.kill()
            elif call.token in _halted or _withdrawn(worker, key):
                process.halt()
                told = time.monotonic()
    except NotStarted as error:
        process.end()
        if told is not None:
            return Halted()
        return Unfit(f"on the worker {worker.address} no process starts: the first {error}, and says why in its log")
    _pool.put_back(call.base, process, outcome)
    return Halted() if told is not None and isinstance(outcome, Failed) and outcome.lost else outcome


def _withdrawn(worker: Worker, key: Key) -> bool:
    """True where nobody asks for the task any more."""
    state = worker.state.tasks.get(key)
    return state is None or state.state not in ("executing", "long-running")


def halt(token: str) -> None:
    """Halt the trials of a sweep that this worker trains; it begins no more."""
    _halted.add(token)


def forget(token: str) -> None:
    """Forget a sweep that has ended."""
    _halted.discard(token)
    _fitting.discard(token)


def fitness_of(call: Call, dask_worker: Worker) -> Unfit | None:
    """`fitness`, as `Client.run` calls it."""
    return fitness(call, dask_worker.address)
