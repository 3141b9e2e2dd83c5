"""Runs in folders, on the real engine: resuming after any crash, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from faults import FaultyDisk, Killed
from small_nets import with_plateau

from nnctl.backends.cuda.component import Cuda
from nnctl.backends.registry import reference_backend
from nnctl.errors import Interrupted, RunError, SpecError
from nnctl.reporting.follow import RunSink, follow
from nnctl.runs import checkpoints as checkpoints_module
from nnctl.runs.folder import RunFolder
from nnctl.runs.sealed import FORMAT, sha256, write_record
from nnctl.spec.load import Loaded, load_text
from nnctl.training import kept, saving, session
from nnctl.training.events import Event, Finished, Progress, Started
from nnctl.training.signals import StopRequest

SPEC = with_plateau(epochs=4)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def spec(*overrides: str) -> Loaded:
    return load_text(SPEC, "small.yaml", overrides)


def run(loaded: Loaded, out: str, **options: Any) -> Finished | None:
    return follow(session.train(loaded, out=Path(out), **options), [RunSink()])


def checkpoints(out: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted((Path(out) / "checkpoints").iterdir()) if p.suffix != ".tmp"}


def rows(out: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (Path(out) / "metrics.jsonl").read_text().splitlines()]
    for row in found:
        del row["seconds"]
    return found


@pytest.fixture(params=["numpy", "auto"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to run the spec."""
    monkeypatch.setattr(sys.modules[__name__], "SPEC", SPEC.replace("backend: numpy", f"backend: {request.param}"))


@pytest.fixture
def save_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(saving, "SAVE_SHARE", 0.0)


@pytest.mark.slow
@pytest.mark.usefixtures("save_always", "backend")
def test_killed_at_any_write_it_resumes_to_the_same_bytes() -> None:
    """At every eleventh operation of the disk: `tests/runs/test_faults.py` has them all, of a tiny net."""
    run(spec(), "whole")
    counted = FaultyDisk()
    with counted.installed():
        run(spec(), "counted", chunk=2)
    assert counted.operations > 200
    # Without the last, which flushes the name of the summary: killed there the run is finished.
    for deadly in range(0, counted.operations - 1, 11):
        out = f"killed-{deadly}"
        with FaultyDisk(dies_at=deadly).installed(), pytest.raises(Killed):
            run(spec(), out, chunk=2)
        finished = run(spec(), out, resume=True, chunk=5)
        assert finished is not None
        assert not finished.before
        assert checkpoints(out) == checkpoints("whole")
        assert rows(out) == rows("whole")


@pytest.mark.usefixtures("save_always", "backend")
def test_stopped_by_a_signal_it_resumes_to_the_same_bytes() -> None:
    run(spec(), "whole")
    for at in (1, 5, 11):
        stop = StopRequest()

        class Stopper:
            def handle(self, event: Event, at: int = at, stop: StopRequest = stop) -> None:
                if isinstance(event, Progress) and event.step >= at:
                    stop.request(15)

            def close(self) -> None:
                pass

        with pytest.raises(Interrupted, match="the checkpoint is saved, --resume goes on"):
            follow(session.train(spec(), out=Path(f"at-{at}"), stop=stop, chunk=1), [RunSink(), Stopper()])
        run(spec(), f"at-{at}", resume=True)
        assert checkpoints(f"at-{at}") == checkpoints("whole")
        assert rows(f"at-{at}") == rows("whole")


@pytest.mark.usefixtures("backend")
def test_the_folder_of_a_run() -> None:
    finished = run(spec(), "out")
    assert finished is not None
    names = sorted(str(p.relative_to("out")) for p in Path("out").rglob("*") if p.is_file())
    assert names == [
        "checkpoints/best.json",
        "checkpoints/best.safetensors",
        "checkpoints/last.json",
        "checkpoints/last.safetensors",
        "metrics.jsonl",
        "origin.json",
        "spec.yaml",
        "summary.json",
    ]
    summary = json.loads(Path("out/summary.json").read_text())
    files = summary.pop("files")
    assert files == {name: sha256(Path("out", name).read_bytes()) for name in names if name != "summary.json"}
    assert summary.pop("format") == FORMAT
    assert len(summary.pop("sha256")) == 64
    assert summary == finished.summary
    assert summary["test"]["test_accuracy"] == rows("out")[-1]["test_accuracy"]


@pytest.mark.usefixtures("backend")
def test_equal_runs_are_equal_and_seeds_differ() -> None:
    for out, overrides in (("a", ()), ("b", ()), ("c", ("seed=1",))):
        run(spec(*overrides), out)
    assert checkpoints("a") == checkpoints("b")
    assert rows("a") == rows("b")
    assert rows("a") != rows("c")


def test_resuming_a_finished_run_says_so_and_changes_nothing() -> None:
    run(spec(), "out")
    before = {p: p.stat().st_mtime_ns for p in Path("out").rglob("*") if p.is_file()}
    finished = run(spec(), "out", resume=True)
    assert finished is not None
    assert finished.before
    assert {p: p.stat().st_mtime_ns for p in Path("out").rglob("*") if p.is_file()} == before


def test_with_nothing_to_resume_it_starts() -> None:
    assert run(spec(), "out", resume=True) is not None
    events = list(session.train(spec(), resume=True))
    assert isinstance(events[0], Started)
    assert Path(events[0].folder) == Path("runs/small/001")


@pytest.mark.usefixtures("backend")
def test_epochs_can_be_raised() -> None:
    # With an evaluation an epoch: one that falls due only because the run ends would not come again.
    each = "schedule.evaluate_every=null"
    run(spec(each, "schedule.epochs=2"), "out")
    run(spec(each), "out", resume=True)
    run(spec(each), "whole")
    assert checkpoints("out")["last.safetensors"] == checkpoints("whole")["last.safetensors"]
    assert rows("out")[-1] == rows("whole")[-1]
    assert len([r for r in rows("out") if r["event"] == "test"]) == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimizer.learning_rate=0.1", "optimizer.learning_rate: 0.05 in the run, 0.1 now"),
        ("schedule.epochs=2", "epochs can be raised, not lowered"),
        ("layers.0.units=6", "layers.0.units: 5 in the run, 6 now"),
        ("seed=3", "seed: 0 in the run, 3 now"),
    ],
)
def test_a_changed_spec_is_refused_by_its_keys(override: str, words: str) -> None:
    run(spec(), "out")
    with pytest.raises(RunError) as caught:
        run(spec(override), "out", resume=True)
    assert words in str(caught.value)


def test_a_changed_description_is_no_change() -> None:
    run(spec("schedule.epochs=1"), "out")
    assert run(spec("schedule.epochs=1", "description=again"), "out", resume=True) is not None


def test_without_resume_a_run_in_the_way_is_refused() -> None:
    run(spec(), "out")
    kept = checkpoints("out")
    with pytest.raises(RunError, match="nothing is overwritten"):
        run(spec(), "out")
    assert checkpoints("out") == kept


def test_a_spec_that_does_not_fit_its_data_leaves_no_folder() -> None:
    with pytest.raises(SpecError):
        run(spec("layers.2.units=4"), "out")
    assert not Path("out").exists()


def test_metrics_that_were_cut_are_noticed() -> None:
    run(spec("schedule.epochs=2"), "out")
    Path("out/metrics.jsonl").write_text("")
    with pytest.raises(RunError, match=r"metrics\.jsonl: is not the file that out/summary\.json knows"):
        run(spec(), "out", resume=True)
    Path("out/summary.json").unlink()
    with pytest.raises(RunError, match="has 0 whole rows, the last checkpoint counts"):
        run(spec(), "out", resume=True)


def test_a_damaged_checkpoint_is_named() -> None:
    run(spec("schedule.epochs=2"), "out")
    path = Path("out/checkpoints/last.safetensors")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(RunError, match=r"last\.safetensors: is damaged or was edited"):
        run(spec(), "out", resume=True)


def test_other_data_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run(spec("schedule.epochs=2"), "out")
    real = kept.load_dataset

    def other(source: Any, folder: Path, seed: int) -> Any:
        return real(source, folder, seed + 1)

    monkeypatch.setattr(kept, "load_dataset", other)
    with pytest.raises(RunError, match="the data is not what this run began with"):
        run(spec(), "out", resume=True)


@pytest.mark.usefixtures("backend")
def test_seconds_go_on_from_where_they_were() -> None:
    run(spec("schedule.epochs=2"), "out")
    Path("out/summary.json").unlink()
    write_record(Path("out/progress.json"), {"step": 12, "seconds": 1000.0})
    finished = run(spec(), "out", resume=True)
    assert finished is not None
    assert finished.summary["seconds"] > 1000


@pytest.mark.usefixtures("save_always", "backend")
def test_the_clock_is_there_until_the_summary_has_its_seconds() -> None:
    run(spec("schedule.epochs=2"), "out")
    folder, short = RunFolder(Path("out")), ("schedule.epochs=2",)
    assert not folder.progress.exists()
    summary = folder.finished()
    assert summary is not None
    finished = run(spec(), "out", resume=True)
    assert finished is not None
    assert finished.summary["seconds"] > summary["seconds"]
    assert not folder.progress.exists()

    stop = StopRequest()
    stop.request(15)
    with pytest.raises(Interrupted):
        follow(session.train(spec(*short), out=Path("stopped"), stop=stop, chunk=99), [RunSink()])
    assert json.loads(Path("stopped/progress.json").read_text())["step"] > 0


@pytest.mark.usefixtures("backend")
def test_the_backend_may_be_named_but_not_changed() -> None:
    run(spec("schedule.epochs=2"), "out")
    folder = RunFolder(Path("out"))
    origin = folder.read_origin()
    assert run(spec(f"backend={origin['backend']}"), "out", resume=True) is not None
    folder.summary.unlink()
    for name in ("best", "last"):
        saved = checkpoints_module.load(folder.checkpoint(name))
        changed = checkpoints_module.Checkpoint({**saved.progress, "backend": "abacus"}, saved.tensors)
        checkpoints_module.save(folder.checkpoint(name), changed)
    with pytest.raises(RunError, match=r"last\.safetensors: is of another run, whose backend is not that of out"):
        run(spec("schedule.epochs=9"), "out", resume=True)
    write_record(folder.origin, {**folder.read_origin(), "backend": "abacus"})
    with pytest.raises(
        RunError, match=r"was trained by the backend abacus.*\n  abacus cannot run here: there is no backend"
    ):
        run(spec("schedule.epochs=9"), "out", resume=True)


def test_a_run_of_a_gpu_is_told_where_it_can_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    on_device = reference_backend()
    monkeypatch.setattr(on_device, "name", "cuda")
    with monkeypatch.context() as there:
        there.setattr(Cuda, "obstacle", lambda self: None)
        there.setattr(Cuda, "open", lambda self, workers=None: on_device)
        run(spec("backend=auto"), "out")
        with pytest.raises(RunError, match="\n  --set backend=cuda goes on exactly"):
            run(spec("backend=numpy", "schedule.epochs=9"), "out", resume=True)
    monkeypatch.setattr(Cuda, "obstacle", lambda self: "there is no NVIDIA driver on this machine")
    with pytest.raises(RunError) as raised:
        run(spec("backend=auto", "schedule.epochs=9"), "out", resume=True)
    assert str(raised.value).splitlines() == [
        "out: this run was trained by the backend cuda, and here it would go on with cpu",
        "  cuda cannot run here: there is no NVIDIA driver on this machine",
        "  resume it where it can; nnctl evaluate out --backend auto judges it here",
    ]


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("backend", ["auto"], indirect=True)
def test_a_run_may_go_on_with_another_number_of_threads() -> None:
    run(spec(), "whole", threads=1)
    stop = StopRequest()
    stop.request(15)
    with pytest.raises(Interrupted):
        run(spec(), "out", threads=2, stop=stop, chunk=1)
    finished = run(spec(), "out", resume=True, threads=3)
    assert finished is not None
    assert finished.summary["threads"] == 3
    assert checkpoints("out") == checkpoints("whole")
    assert rows("out") == rows("whole")
    assert run(spec("schedule.epochs=9", "backend={type: cpu, threads: 2}"), "out", resume=True) is not None


def test_two_processes_do_not_train_into_one_folder() -> None:
    run(spec("schedule.epochs=2"), "out")
    with RunFolder(Path("out")).lock(), pytest.raises(RunError, match="another process is training"):
        run(spec(), "out", resume=True)
