"""Sweeps at addresses: the results of a sweep in a folder, and clear words where an address is none for it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnctl.cli import main
from nnctl.errors import RunError
from nnctl.runs import durable
from nnctl.runs.addresses import Address
from nnctl.runs.records import Carried
from nnctl.runs.sealed import encoded, opened
from nnctl.sweep.away import Away, away
from nnctl.sweep.executors import carrying, remote
from nnctl.sweep.executors.choice import open_executor
from nnctl.sweep.executors.contract import Failed, TrialTask
from nnctl.sweep.executors.local import LocalProcesses
from nnctl.sweep.executors.worker import train
from nnctl.sweep.runner import run
from nnctl.sweep.study import read_study
from nnctl.sweep.trial_result import TrialResult
from nnctl.training.signals import StopRequest

fsspec = pytest.importorskip("fsspec")

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 40, batch_size: 10}
backend: numpy
"""
LINE = ("sweep", "net.yaml", "--grid", "optimizer.learning_rate=0.1,1,3", "-q")
# Packages of stores, and Dask, are told of sockets and loops that they leave behind; they are their own.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/away"


def weights(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("*/checkpoints/*.safetensors")}


def rows(text: str) -> list[dict[str, Any]]:
    """The objects of a pipe, without what differs from run to run."""
    found = [json.loads(line) for line in text.splitlines()]
    return [{name: value for name, value in row.items() if name not in ("seconds", "folder")} for row in found]


def test_a_sweep_at_an_address_is_that_in_a_folder(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    more = ("--ensemble", "2", "--set", "data.seed=0")
    assert main([*LINE, *more, "--out", "here"]) == 0
    here = capfd.readouterr().out
    assert main([*LINE, *more, "--out", url, "-j", "2"]) == 0
    there = capfd.readouterr().out
    assert rows(there) == rows(here)
    assert [json.loads(line)["folder"] for line in there.splitlines()[:3]] == [f"{url}/000{n}" for n in range(3)]
    # The same line again has all from there, and so has the ranking.
    before = sorted(Path("away").rglob("*"))
    assert main([*LINE, *more, "--out", url]) == 0
    assert rows(capfd.readouterr().out) == rows(here)
    assert sorted(Path("away").rglob("*")) == before
    shown = []
    for where in ("here", url):
        assert main(["sweep", "show", where]) == 0
        shown.append(capfd.readouterr())
    assert shown[0].out == shown[1].out
    assert shown[0].err.replace("results in here", f"results in {url}") == shown[1].err
    assert main(["sweep", "show", url, "--csv", "-"]) == 0
    assert f",{url}/0002\n" in capfd.readouterr().out
    # Copied, it is a folder like any other.
    assert main(["sweep", "fetch", url, "copied"]) == 0
    assert capfd.readouterr().err == "copied: 3 trials\n"
    assert weights(Path("copied")) == weights(Path("here"))
    assert weights(Path("here"))
    assert main([*LINE, *more, "--out", "copied"]) == 0
    assert rows(capfd.readouterr().out) == rows(here)
    assert isinstance(durable.disk, durable.Disk)
    assert type(durable.disk) is durable.Disk


def test_what_decides_by_results_decides_the_same(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    searched = ("--space", "optimizer.learning_rate=1e-4:3:log", "--trials", "5")
    by_results = ("--sampler", "tpe", "--pruner", "halving")
    for where in ("here", url, url):
        assert main(["sweep", "net.yaml", *searched, *by_results, "--out", where, "-j", "2", "-q"]) == 0
    assert main(["sweep", "fetch", url, "copied", "-q"]) == 0
    assert weights(Path("copied")) == weights(Path("here"))
    out = capfd.readouterr().out
    assert rows("\n".join(out.splitlines()[:5])) == rows("\n".join(out.splitlines()[5:10]))
    assert {json.loads(line)["status"] for line in out.splitlines()[5:10]} == {"finished", "pruned"}
    for name in ("proposals", "ended"):
        for path in Path("here", name).iterdir():
            assert Path("away", name, path.name).read_bytes() == path.read_bytes()


def test_of_a_trial_that_has_begun_an_address_does_not_say_whether_it_is_trained(
    url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*LINE, "--out", url]) == 0
    # As it is while a worker trains, or once it has died.
    (finished,) = Path("away/0001").glob("1-*.json")
    content = opened(finished.read_bytes(), finished, Carried)
    texts = {name: text for name, text in content["texts"].items() if name != "summary.json"}
    finished.with_name(f"0{finished.name[1:]}").write_bytes(encoded({**content, "texts": texts}))
    finished.unlink()
    capfd.readouterr()
    assert main(["sweep", "show", url]) == 0
    told = capfd.readouterr()
    assert told.err.startswith("3 trials: 2 finished, 1 begun\nbegun: trained at this time, or left by a process that")
    assert "stale" not in told.out + told.err
    # In a folder it is known: nobody trains there.
    assert main(["sweep", "fetch", url, "copied", "-q"]) == 0
    assert main(["sweep", "show", "copied"]) == 0
    assert capfd.readouterr().err.startswith("3 trials: 2 finished, 1 stale\nresults in copied\n")


def test_a_trial_that_diverges_is_told_by_its_address(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    line = ("sweep", "net.yaml", "--grid", "optimizer.learning_rate=0.1,1e200", "--out", url)
    for _ in range(2):
        assert main(line) == 0
        told = capfd.readouterr()
        assert [json.loads(row)["status"] for row in told.out.splitlines()] == ["finished", "diverged"]
        assert "/nnctl-" not in told.out + told.err
    assert Path("away/ended/0001.json").is_file()


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("nosuch://user:pa55@host/x", "nosuch://user@host/x: fsspec knows no addresses of nosuch://"),
        ("memory://here/x", "memory://here/x: is another place in every process, and gone with it\n"),
        ("file:///nowhere/at/all", "file:///nowhere/at/all: cannot be written: there is no such place"),
        ("file://{here}", "is in the way: it is not empty and not a sweep"),
    ],
)
def test_an_address_that_is_none_for_a_sweep(
    out: str, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*LINE, "--out", out.format(here=tmp_path)]) == 2
    told = capfd.readouterr()
    assert words in told.err
    assert "pa55" not in told.err
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["net.yaml"]


def test_an_address_of_another_sweep_and_of_none(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*LINE, "--out", url]) == 0
    assert main([*LINE, "--set", "seed=7", "--out", url]) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"nnctl: {url}: holds another sweep, of a different spec or search\n")
    Path("away/sweep.json").write_bytes(Path("away/sweep.json").read_bytes()[:100])
    assert main(["sweep", "show", url]) == 2
    assert capfd.readouterr().err.startswith(f"nnctl: {url}/sweep.json: is damaged or was edited")
    for line in (["sweep", "show", f"{url}/0000"], ["sweep", "fetch", f"{url}/0000", "copied"]):
        assert main(line) == 2
        assert f"{url}/0000: there is no sweep: it has no sweep.json" in capfd.readouterr().err
    for line in (["report", url], ["runs", url], ["show", url], ["train", "net.yaml", "--out", url]):
        assert main(line) == 2
        assert f"{url}: is an address, and this takes a folder here\n" in capfd.readouterr().err
    assert sorted(path.name for path in Path().iterdir()) == ["away", "net.yaml"]


def test_a_folder_s_sweep_and_an_address_s_are_told_apart(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    path = url.removeprefix("file://")
    assert main([*LINE, "--out", "here"]) == main([*LINE, "--out", url]) == 0
    capfd.readouterr()
    before = {each: each.is_file() and each.read_bytes() for each in Path().rglob("*")}
    at_address = f"{path}: holds a sweep as it lies at an address\n  name it by the address: {url}\n"
    in_folder = (
        f"file://{Path('here').absolute()}: holds a sweep as a folder has it, and not as it lies at an address\n"
    )
    lacking = f"file:{path}: looks like an address, and lacks slashes\n  {url}\n"
    for where, words in (
        (path, at_address),
        (f"file://{Path('here').absolute()}", in_folder),
        (f"file:{path}", lacking),
    ):
        for line in ([*LINE, "--out", where], ["sweep", "show", where]):
            assert main(line) == 2
            told = capfd.readouterr()
            assert words in told.err
            assert told.out == ""
    assert main(["sweep", "fetch", f"file://{Path('here').absolute()}", "copied"]) == 2
    assert main(["sweep", "fetch", f"file:{path}", "copied"]) == 2
    assert lacking in capfd.readouterr().err
    assert {each: each.is_file() and each.read_bytes() for each in Path().rglob("*")} == before


def test_working_folders_of_processes_that_died_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying.tempfile, "tempdir", str(tmp_path))
    left, fresh = tmp_path / "nnctl-trial-left", tmp_path / "nnctl-trial-fresh"
    with carrying._working_folder() as other:
        for folder in (left, fresh):
            folder.mkdir()
        for old in (left, other):
            os.utime(old, (0, 0))
        with carrying._working_folder() as mine:
            assert sorted(tmp_path.glob("nnctl-trial-*")) == sorted([other, mine, fresh])
    assert list(tmp_path.glob("nnctl-trial-*")) == [fresh]


def test_a_trial_that_cannot_be_carried_fails_for_now(url: str) -> None:
    with away(Address(url), new=True) as found:
        study = read_study(Path("net.yaml"), ["sweep.seeds=2"], found.folder, None, found)
        task = TrialTask(0, (), found.folder / "0000", address=Address("file:///nowhere/at/all"))
        outcome = train(study.base, task, StopRequest())
    assert isinstance(outcome, Failed)
    assert outcome.again
    assert outcome.message.startswith("file:///nowhere/at/all: cannot be written: there is no such place")


def test_a_worker_for_which_the_address_is_another_place(url: str, tmp_path: Path) -> None:
    call = remote.Call("token", tmp_path, "beacon", remote.versions(), b"", (Address(url), "0" * 64))
    unfit = remote.fitness(call, "tcp://there")
    assert unfit is not None
    assert unfit.sentence.startswith(f"{url}: is another place for the worker tcp://there")
    nowhere = remote.Call("token", tmp_path, "beacon", remote.versions(), b"", (Address("file:///nowhere/x"), ""))
    unfit = remote.fitness(nowhere, "tcp://there")
    assert unfit is not None
    assert unfit.sentence.startswith("the worker tcp://there: file:///nowhere/x: cannot be written")


def test_what_was_trained_elsewhere_is_missed(url: str) -> None:
    missed = pytest.raises(RunError, match=rf"{url}/0000: what a worker has carried there is not there")
    with missed, away(Address(url), new=True) as found:
        found.bring(0, finished=True)


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A store of objects that other processes reach, too: a server of S3's protocol, and a bucket there."""
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
    yield "s3://bucket/rates"
    server.stop()


def trained(found: Away, on: str, *overrides: str) -> list[TrialResult]:
    study = read_study(Path("net.yaml"), ["sweep.seeds=2", *overrides], found.folder, None, found)
    results = run(study, open_executor(on, study, None), StopRequest())
    return sorted(results, key=lambda result: result.trial.number)


def test_whoever_is_killed_the_results_come_from_the_store_the_same(bucket: str) -> None:
    distributed = pytest.importorskip("distributed")
    psutil = pytest.importorskip("psutil")
    epochs = "schedule.epochs=1500"
    here = read_study(Path("net.yaml"), ["sweep.seeds=2", epochs], Path("here"))
    alone = sorted(run(here, LocalProcesses(here.base, 2), StopRequest()), key=lambda result: result.trial.number)
    killed: list[str] = []
    done = threading.Event()

    def kill(cluster: Any, place: Any) -> None:
        """Kill a worker, and with it what trains beneath it, once a trial that is not finished was carried."""
        while not done.wait(0.1):
            begun = {name.partition("/")[0] for name in place.names() if "/0-" in name}
            if begun:
                nanny = next(iter(cluster.workers.values()))
                psutil.Process(nanny.process.pid).kill()
                killed.extend(sorted(begun))
                return

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        away(Address(bucket), new=True) as found,
    ):
        killer = threading.Thread(target=kill, args=(cluster, found.place))
        killer.start()
        results = trained(found, cluster.scheduler_address, epochs)
        done.set()
        killer.join()
        assert killed
        assert [(r.trial, r.status, dict(r.metrics)) for r in results] == [
            (r.trial, r.status, dict(r.metrics)) for r in alone
        ]
        # Of each trial what it ended with, and nothing besides.
        assert len(found.place.names()) == 2 + 2 * 3
    assert main(["sweep", "fetch", bucket, "copied", "-q"]) == 0
    assert weights(Path("copied")) == weights(Path("here"))
