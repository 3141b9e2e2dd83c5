"""The choice of an executor by what `--on` names: this machine, a Dask scheduler, or a queue of jobs."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from nnctl.backends.registry import likely
from nnctl.errors import UsageError
from nnctl.process.cores import cores
from nnctl.sweep.executors.carrying import CarriedTrials
from nnctl.sweep.executors.contract import Executor
from nnctl.sweep.executors.local import LocalProcesses, require_processes
from nnctl.sweep.executors.waiting import Waiting
from nnctl.sweep.study import Study

LOCAL = "local"
_ADDRESS = re.compile(r"(dask|tcp|tls|ws|wss)://(.+)")


def open_executor(on: str, study: Study, jobs: int | None, tell: Callable[[str], None] | None = None) -> Executor:
    """The executor that `on` names: `local`, the address of a Dask scheduler, or a YAML file about a cluster.

    jobs: trials at a time; if None as many as there are cores and memory for on this machine, else as many as the
    workers have threads. tell: told in a sentence where a process is to train several at a time.
    Raises UsageError where it names none, or a package is missing, RunError where it cannot be reached, SpecError where
    the spec asks for what it has not.
    """
    executor = _opened(on, study, jobs, tell)
    return executor if study.away is None else CarriedTrials(executor, study.away)


def _opened(on: str, study: Study, jobs: int | None, tell: Callable[[str], None] | None) -> Executor:
    if on == LOCAL:
        asked = jobs or cores()
        at_a_time = min(asked, study.count)
        wanted = study.sweep.together
        together = 1 if at_a_time == 1 else wanted or likely(study.spec.backend).together(at_a_time)
        require_processes(asked, study.count, together)
        # Who says how many at a time has said how much is lost where a machine fails, and what memory they may take.
        waiting = Waiting(at_a_time) if jobs is None and wanted is None and together == 1 else None
        return LocalProcesses(study.base, at_a_time, together, as_fit=jobs is None, waiting=waiting, tell=tell)
    address = _ADDRESS.fullmatch(on)
    if address is not None:
        _require_one_a_task(on, study)
        require_package(on, "distributed")
        from nnctl.sweep.executors.dask import DaskWorkers, connect

        scheme, rest = address.groups()
        return DaskWorkers(study, connect(f"{'tcp' if scheme == 'dask' else scheme}://{rest}", on), on, jobs)
    if Path(on).suffix.lower() in (".yaml", ".yml"):
        _require_one_a_task(on, study)
        from nnctl.sweep.executors.queues import open_queue

        return open_queue(Path(on), study, jobs)
    raise UsageError(
        f"--on {on}: is neither local nor a Dask scheduler nor a file about a cluster\n"
        "  for example dask://scheduler:8786, or slurm.yaml"
    )


def _require_one_a_task(on: str, study: Study) -> None:
    """Raise SpecError where the spec wants trials together that a cluster would train one a task."""
    together = study.sweep.together or 1
    if together > 1:
        raise study.base.error(
            "sweep.together",
            f"{together} trials of one process are for this machine: on {on} each has a process of its own",
            hint="leave it out: a worker of the cluster has as many trials at a time as it has threads",
        )


def require_package(on: str, package: str) -> None:
    """Raise UsageError where a package that `on` needs is not installed."""
    if find_spec(package) is None:
        raise UsageError(
            f"--on {on} needs the package {package.replace('_', '-')}, which is not installed\n"
            "  pip install 'nnctl[cluster]'"
        )
