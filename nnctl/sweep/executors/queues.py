"""Queues of jobs, as Slurm's: dask-jobqueue submits jobs that run Dask's workers, for as long as a sweep lasts."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nnctl.errors import RunError, UsageError
from nnctl.spec.yaml.parser import parse
from nnctl.spec.yaml.source_text import read_file
from nnctl.spec.yaml.tree import plain_data
from nnctl.sweep.executors.choice import require_package
from nnctl.sweep.executors.dask import DaskWorkers, connect
from nnctl.sweep.study import Study

CLUSTERS: dict[str, str] = {
    "htcondor": "HTCondorCluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "slurm": "SLURMCluster",
}
"""The classes of dask-jobqueue by the word for `cluster`."""


def open_queue(path: Path, study: Study, jobs: int | None) -> DaskWorkers:
    """The executor whose workers are jobs of the queue that a file is about. Raises UsageError, RunError."""
    kind, workers, options = read_queue(path)
    require_package(str(path), "distributed")
    require_package(str(path), "dask_jobqueue")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = _start(path, kind, options)
    cluster.scale(workers)
    return DaskWorkers(study, connect(cluster, str(path)), str(path), jobs, cluster.close)


def read_queue(path: Path) -> tuple[str, int, Mapping[str, Any]]:
    """The word for the cluster, the number of workers, and the cluster's own options. Raises SpecError, UsageError."""
    content = plain_data(parse(read_file(path)))
    example = "  cluster: slurm\n  workers: 8\n  cores: 1\n  memory: 4GB"
    if not isinstance(content, Mapping) or "cluster" not in content or "workers" not in content:
        raise UsageError(f"{path}: says which cluster, and how many workers; for example\n{example}")
    options = dict(content)
    kind, workers = options.pop("cluster"), options.pop("workers")
    if kind not in CLUSTERS:
        raise UsageError(f"{path}: cluster: '{kind}' is none that is known\n  known are {', '.join(sorted(CLUSTERS))}")
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise UsageError(f"{path}: workers: a whole number from 1, not {workers}")
    return kind, workers, options


def _start(path: Path, kind: str, options: Mapping[str, Any]) -> Any:
    """The cluster of dask-jobqueue, still without workers."""
    import dask_jobqueue

    made = getattr(dask_jobqueue, CLUSTERS[kind])
    command = made.job_cls.submit_command.split()[0]
    if shutil.which(command) is None:
        raise RunError(f"{path}: {command} is not on this machine\n  start the sweep where jobs are submitted from")
    try:
        return made(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path}: {CLUSTERS[kind]} of dask-jobqueue refuses this: {error}") from error
