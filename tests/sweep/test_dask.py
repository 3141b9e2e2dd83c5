"""Sweeps on Dask's workers: the same results, whoever dies, and clear words where it cannot be."""

from __future__ import annotations

import gc
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from run_contents import contents

from nnctl.errors import RunError, SpecError, UsageError
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs.endings import ending_of
from nnctl.runs.folder import RunFolder
from nnctl.runs.lock import Lock
from nnctl.runs.rows import evaluations
from nnctl.sweep.executors import choice, dask, queues, remote
from nnctl.sweep.executors.choice import open_executor
from nnctl.sweep.executors.contract import TrialTask
from nnctl.sweep.executors.dask import DaskWorkers
from nnctl.sweep.executors.local import LocalProcesses
from nnctl.sweep.runner import run
from nnctl.sweep.study import Study, read_study
from nnctl.sweep.trial import load_trial
from nnctl.sweep.trial_result import TrialResult
from nnctl.training import session
from nnctl.training.signals import StopRequest

distributed = pytest.importorskip("distributed")
psutil = pytest.importorskip("psutil")

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1500, batch_size: 10}
backend: numpy
"""
NNCTL = (sys.executable, "-m", "nnctl")
# Dask is told of sockets and loops that it leaves behind; they are its own.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=logging.CRITICAL
    ) as made:
        yield made
    gc.collect()  # while its warnings are still ignored


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


def study(out: str, *overrides: str) -> Study:
    return read_study(Path("net.yaml"), ["sweep.seeds=4", *overrides], Path(out))


def trained(found: Study, on: str, stop: StopRequest | None = None) -> list[TrialResult]:
    executor = open_executor(on, found, None)
    return sorted(run(found, executor, StopRequest() if stop is None else stop), key=lambda result: result.trial.number)


def outcomes(results: list[TrialResult]) -> list[tuple[Any, ...]]:
    return [(result.trial, result.status, dict(result.metrics), result.error) for result in results]


def weights(folder: str) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).glob("*/checkpoints/*.safetensors")
    }


def wait_for(ready: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[Any, ...]], dict[str, bytes]]:
    """The results of the four trials in one process after the other."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "net.yaml").write_text(SPEC)
    found = read_study(folder / "net.yaml", ["sweep.seeds=4"], folder / "found")
    results = sorted(run(found, LocalProcesses(found.base, 2), StopRequest()), key=lambda result: result.trial.number)
    return outcomes(results), weights(str(folder / "found"))


def test_whoever_is_killed_the_results_are_the_same_to_the_bit(
    cluster: Any, alone: tuple[list[tuple[Any, ...]], dict[str, bytes]]
) -> None:
    chance, killed = random.Random(0), []
    done = threading.Event()

    def kill() -> None:
        """Kill processes of trials and workers themselves, which their nannies start again."""
        for round_ in range(5):
            if done.wait(chance.uniform(0.5, 1.0)):
                return
            workers = [
                process
                for nanny in cluster.workers.values()
                if nanny.process is not None and nanny.process.is_alive()
                for process in [psutil.Process(nanny.process.pid)]
            ]
            trials = [child for worker in workers for child in worker.children()]
            among = trials if round_ % 2 else workers
            if among:
                victim = chance.choice(among)
                victim.kill()
                killed.append(victim in trials)

    killer = threading.Thread(target=kill)
    killer.start()
    results = trained(study("found"), cluster.scheduler_address)
    done.set()
    killer.join()
    assert True in killed
    assert False in killed
    assert (outcomes(results), weights("found")) == alone
    assert [path.name for path in Path("found").glob(".*")] == []


def test_a_halted_sweep_saves_and_goes_on(cluster: Any, alone: tuple[list[tuple[Any, ...]], dict[str, bytes]]) -> None:
    stop = StopRequest()
    begun = threading.Thread(
        target=lambda: (
            wait_for(lambda: list(Path("found").glob("*/progress.json"))),
            stop.request(signal.SIGINT),
        )
    )
    begun.start()
    first = trained(study("found"), cluster.scheduler_address, stop)
    begun.join()
    assert len(first) < 4
    assert list(Path("found").glob("*/checkpoints/last.safetensors"))
    again = trained(study("found"), cluster.scheduler_address.replace("tcp://", "dask://"))
    assert (outcomes(again), weights("found")) == alone


def test_trials_of_a_client_that_has_vanished_are_saved_and_taken_up(cluster: Any) -> None:
    line = ("sweep", "net.yaml", "--grid", "seed=1", "--out", "found", "--on", cluster.scheduler_address)
    endless = ("--set", "schedule.epochs=1000000")
    with subprocess.Popen([*NNCTL, *line, *endless], stderr=subprocess.PIPE) as client:
        wait_for(Path("found/0000/progress.json").exists)
        client.kill()
        client.communicate()

    def left() -> Lock | None:
        return Lock.attempt(RunFolder(Path("found/0000")).metrics)

    wait_for(left, seconds=30).release()
    rows = Path("found/0000/metrics.jsonl").read_text().splitlines()
    assert json.loads(Path("found/0000/progress.json").read_text())["step"] == json.loads(rows[-1])["step"]
    assert len(list(Path("found").glob(".beacon-*"))) == 1


def test_a_worker_with_other_versions_is_named_before_anything_trains(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = remote.versions()
    monkeypatch.setattr(remote, "versions", lambda: {**ours, "numpy": "1.0"})
    with pytest.raises(
        RunError, match=f"the worker tcp://.* has other versions: numpy {ours['numpy']} there, 1.0 here"
    ):
        trained(study("found"), cluster.scheduler_address)
    monkeypatch.setattr(remote, "versions", lambda: {**ours, "nnctl": "0.0"})
    with pytest.raises(RunError, match=rf"nnctl {ours['nnctl']} there, 0\.0 here\n  results might differ"):
        trained(study("found"), cluster.scheduler_address)
    assert not Path("found/0000").exists()


def test_a_folder_that_workers_do_not_see_is_an_error_before_anything_trains(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced = dask.DaskWorkers._announced

    def elsewhere(workers: dask.DaskWorkers) -> remote.Call:
        workers._call = announced(workers)
        return replace(workers._call, folder=Path("/nowhere/found"))

    monkeypatch.setattr(dask.DaskWorkers, "_announced", elsewhere)
    with pytest.raises(RunError, match=r"/nowhere/found: a folder that the worker tcp://.* does not see"):
        trained(study("found"), cluster.scheduler_address)
    assert not Path("found/0000").exists()


def test_locks_that_do_not_reach_a_worker_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "beacon").write_text("token")
    call = remote.Call("token", tmp_path, "beacon", remote.versions(), b"")
    unfit = remote.fitness(call, "tcp://there")
    assert unfit is not None
    assert "locks of files there do not reach the worker tcp://there" in unfit.sentence
    held = Lock.attempt(tmp_path / "beacon")
    assert held is not None
    # As another process sees it, for one has the lock as a whole.
    assert remote.fitness(call, "tcp://there") is None
    held.release()
    remote.forget("token")


def test_a_worker_that_comes_later_and_does_not_fit_ends_the_sweep(
    cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = remote.versions()
    monkeypatch.setattr(remote, "versions", lambda: {**ours, "llvmlite": "0"})
    monkeypatch.setattr(dask.DaskWorkers, "_require_fitting", lambda workers, call: None)
    with pytest.raises(RunError, match=f"llvmlite {ours['llvmlite']} there, 0 here"):
        trained(study("found"), cluster.scheduler_address)


def test_a_scheduler_that_does_not_answer_is_one_sentence() -> None:
    line = ("sweep", "net.yaml", "--grid", "seed=1,2", "--out", "found", "--on", "dask://127.0.0.1:1")
    done = subprocess.run([*NNCTL, *line], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("nnctl: dask://127.0.0.1:1: no Dask scheduler answers there\n")
    assert len(done.stderr.splitlines()) == 2
    assert not Path("found").exists()


def test_a_package_that_is_missing_and_words_that_name_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = study("found")
    with pytest.raises(UsageError, match="--on somewhere: is neither local nor a Dask scheduler nor a file"):
        open_executor("somewhere", found, None)
    Path("slurm.yaml").write_text("cluster: slurm\nworkers: 2\n")
    monkeypatch.setattr(choice, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--on dask://there:1 needs the package distributed.*\n.*nnctl\[cluster\]"):
        open_executor("dask://there:1", found, None)
    with pytest.raises(UsageError, match=r"--on slurm.yaml needs the package distributed"):
        open_executor("slurm.yaml", found, None)


def test_a_scheduler_with_certificates(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    security, strangers = distributed.Security.temporary(), distributed.Security.temporary()
    for name, made in (("ours", security), ("theirs", strangers)):
        Path(f"{name}-ca.pem").write_text(made.tls_ca_file)
        Path(f"{name}.pem").write_text(made.tls_client_cert)
        Path(f"{name}-key.pem").write_text(made.tls_client_key)

    def environment(name: str) -> dict[str, str]:
        tls = "DASK_DISTRIBUTED__COMM__TLS__"
        files = {"CA_FILE": f"{name}-ca.pem", "CLIENT__CERT": f"{name}.pem", "CLIENT__KEY": f"{name}-key.pem"}
        return {**os.environ, **{f"{tls}{key}": str(tmp_path / file) for key, file in files.items()}}

    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, protocol="tls://", security=security, dashboard_address=None, silence_logs=50
    ) as made:
        address = made.scheduler_address
        assert address.startswith("tls://")

        def swept(on: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
            line = ("sweep", "net.yaml", "--grid", "seed=1,2", "--set", "schedule.epochs=2", "--out", "found", "-q")
            return subprocess.run(
                [*NNCTL, *line, "--on", on], capture_output=True, text=True, check=False, timeout=60, env=environment
            )

        for on, env, words in (
            (address, dict(os.environ), f"{address}: needs certificates, and Dask's configuration names none\n"),
            (address, environment("gone"), f"there is no file {tmp_path}/gone-ca.pem, a certificate by Dask's"),
            (address, environment("theirs"), "do not come to an encrypted connection: "),
            (address.replace("tls://", "dask://"), environment("ours"), "one with certificates is tls://\n"),
        ):
            done = swept(on, env)
            assert done.returncode == 2
            assert words in done.stderr
            assert len(done.stderr.splitlines()) == 2, done.stderr
            assert not Path("found").exists()
        done = swept(address, environment("ours"))
        assert (done.returncode, done.stderr) == (0, "")
        assert [json.loads(row)["status"] for row in done.stdout.splitlines()] == ["finished"] * 2
    gc.collect()  # while its warnings are still ignored


@pytest.mark.parametrize("on", ["dask://there:1", "slurm.yaml"])
def test_trials_together_on_a_cluster_are_an_error_at_their_line(on: str) -> None:
    Path("net.yaml").write_text(f"{SPEC}sweep: {{together: 4}}\n")
    with pytest.raises(SpecError) as told:
        open_executor(on, study("found"), None)
    assert f"4 trials of one process are for this machine: on {on} each has a process of its own" in str(told.value)
    assert "net.yaml:7:19" in str(told.value)
    assert isinstance(open_executor("local", study("found"), 4), LocalProcesses)


def test_rungs_in_seconds_lie_where_the_rows_of_the_workers_say(cluster: Any) -> None:
    asked = (
        "sweep={space: {optimizer.learning_rate: {type: log_uniform, low: 1e-3, high: 1}}, trials: 4, sampler: random,"
        " monitor: validation_cost, pruner: {type: halving, rungs: [0.2 seconds, 0.5 seconds], factor: 2}}",
    )
    found = read_study(Path("net.yaml"), asked, Path("found"))
    results = trained(found, cluster.scheduler_address)
    assert sorted(result.rung or 99.0 for result in results) == [0.2, 0.2, 0.5, 99.0]
    for result in results:
        if result.rung is not None:
            rows = evaluations(RunFolder(Path(result.folder)))
            record = ending_of(found.folder, result.trial.number)
            assert record is not None
            assert (record["status"], record["seconds"], record["epoch"]) == ("pruned", result.rung, result.epochs)
            first = next(row for row in rows if row["seconds"] >= result.rung)
            assert (first["epoch"], first["validation_cost"]) == (result.epochs, result.metrics["validation_cost"])
            assert rows[-1]["epoch"] == result.epochs
    # Without the sweep's own records another executor takes each up where it is, and the same is decided.
    for number in range(4):
        (found.folder / "ended" / f"{number:04d}.json").unlink(missing_ok=True)
    content = weights("found")
    again = sorted(run(found, LocalProcesses(found.base, 2), StopRequest()), key=lambda result: result.trial.number)
    assert again == results
    assert weights("found") == content
    best = next(result for result in results if result.status == "finished")
    follow(session.train(load_trial(found.base, best.trial.overrides), out=Path("alone")), [RunSink()])
    assert contents(best.folder) == contents("alone")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("workers: 2", "says which cluster, and how many workers"),
        ("- slurm", "says which cluster, and how many workers"),
        (
            "cluster: slurn\nworkers: 2",
            "'slurn' is none that is known\n  known are htcondor, lsf, oar, pbs, sge, slurm",
        ),
        ("cluster: slurm\nworkers: 0", "workers: a whole number from 1, not 0"),
        ("cluster: slurm\nworkers: 2\ncores: 1\nmemory: 1GB\nqueeu: x", "refuses this: .*queeu"),
        ("cluster: slurm\nworkers: 2", "refuses this: You must specify how much cores and memory"),
    ],
)
def test_a_file_about_a_cluster_that_is_wrong(text: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setattr(queues.shutil, "which", lambda command: command)
    Path("slurm.yaml").write_text(text)
    with pytest.raises((UsageError, SpecError), match=rf"(?s)slurm\.yaml.*{words}"):
        open_executor("slurm.yaml", study("found"), None)


def test_a_queue_of_jobs_lends_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the commands of Slurm are doubles that start and end processes."""
    pytest.importorskip("dask_jobqueue")
    Path("slurm.yaml").write_text(
        "cluster: slurm\nworkers: 1\ncores: 1\nmemory: 500MB\ninterface: lo\n"
        "scheduler_options: {dashboard_address: null}\n"
    )
    with pytest.raises(RunError, match="sbatch is not on this machine"):
        open_executor("slurm.yaml", study("found"), None)
    commands = tmp_path / "bin"
    commands.mkdir()
    submit = (
        # As Slurm's, it keeps a copy of the script, which is removed as soon as it returns.
        f"#!{sys.executable}\nimport subprocess, sys\n"
        "script, none = open(sys.argv[1]).read(), subprocess.DEVNULL\n"
        "job = subprocess.Popen(['sh', '-c', script], start_new_session=True, stdin=none, stdout=none, stderr=none)\n"
        "print('Submitted batch job', job.pid)\n"
    )
    (commands / "sbatch").write_text(submit)
    (commands / "scancel").write_text('#!/bin/sh\nkill -- "-$1"\n')
    for command in commands.iterdir():
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    found = study("found", "sweep.seeds=2", "schedule.epochs=2")
    assert [result.status for result in trained(found, "slurm.yaml")] == ["finished"] * 2


class Deserted:
    """A client of a scheduler that takes every trial and has no worker."""

    status = "running"

    def nthreads(self) -> dict[str, int]:
        return {}

    def run(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {}

    def submit(self, *_: Any, key: str, **__: Any) -> Any:
        return SimpleNamespace(key=key, add_done_callback=lambda callback: None)


def test_trials_that_wait_without_a_worker_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    found = study("found")
    found.claim()
    executor = DaskWorkers(found, Deserted(), "dask://there", jobs=1)  # type: ignore[arg-type]
    executor.give(TrialTask(0, (), found.folder / "0000"))
    for _ in range(3):
        assert not executor.outcomes(0.01)
    told = [record.message for record in caplog.records if "no worker" in record.message]
    assert told == ["dask://there: no worker is there: trials wait for one"]
