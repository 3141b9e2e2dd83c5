"""The choice of an executor by what `--on` names: this machine, a Dask scheduler, or a queue of jobs."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from nnctl.backends.registry import likely
from nnctl.errors import UsageError
from nnctl.sweep.executors.carrying import CarriedTrials
from nnctl.sweep.executors.contract import Executor
from nnctl.sweep.executors.local import LocalProcesses, require_processes
from nnctl.sweep.study import Study

LOCAL = "local"
_ADDRESS = re.compile(r"(dask|tcp|tls|ws|wss)://(.+)")


def open_executor(on: str, study: Study, jobs: int | None) -> Executor:
    """The executor that `on` names: `local`, the address of a Dask scheduler, or a YAML file about a cluster.

    jobs: trials at a time; if None 1 on this machine, else as many as the workers have threads.
    Raises UsageError where it names none, or a package is missing, RunError where it cannot be reached.
    """
    executor = _opened(on, study, jobs)
    return executor if study.away is None else CarriedTrials(executor, study.away)


def _opened(on: str, study: Study, jobs: int | None) -> Executor:
    if on == LOCAL:
        jobs = jobs or 1
        together = 1 if jobs == 1 else study.sweep.together or likely(study.spec.backend).together(jobs)
        require_processes(jobs, study.count, together)
        return LocalProcesses(study.base, jobs, together)
    address = _ADDRESS.fullmatch(on)
    if address is not None:
        require_package(on, "distributed")
        from nnctl.sweep.executors.dask import DaskWorkers, connect

        scheme, rest = address.groups()
        return DaskWorkers(study, connect(f"{'tcp' if scheme == 'dask' else scheme}://{rest}", on), on, jobs)
    if Path(on).suffix.lower() in (".yaml", ".yml"):
        from nnctl.sweep.executors.queues import open_queue

        return open_queue(Path(on), study, jobs)
    raise UsageError(
        f"--on {on}: is neither local nor a Dask scheduler nor a file about a cluster\n"
        "  for example dask://scheduler:8786, or slurm.yaml"
    )


def require_package(on: str, package: str) -> None:
    """Raise UsageError where a package that `on` needs is not installed."""
    if find_spec(package) is None:
        raise UsageError(
            f"--on {on} needs the package {package.replace('_', '-')}, which is not installed\n"
            "  pip install 'nnctl[cluster]'"
        )
