"""Training on tables that lie on disk: the same run as in memory, and resume exact to the bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cut_runs import cut_after

from nnctl.data import training_windows
from nnctl.data.stored.folder import entries
from nnctl.engine.engine import beside_reading
from nnctl.errors import SpecError
from nnctl.graph.network import Network
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import Loaded, load_spec
from nnctl.training import saving, session

CHURN = Path(__file__).parents[2] / "specs" / "churn.yaml"
SHORT = ("schedule.epochs=2", "schedule.early_stopping=null", "backend=numpy")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNCTL_CACHE", str(tmp_path / "cache"))
    # 360 examples in batches of 16: windows of three batches end within epochs, and epochs within windows.
    monkeypatch.setattr(training_windows, "_READ_BYTES", 2000)


def spec(*overrides: str) -> Loaded:
    return load_spec(CHURN, (*SHORT, "data.in_memory=false", *overrides))


def run(loaded: Loaded, out: str, **options: Any) -> dict[str, Any]:
    sink = RunSink()
    follow(session.train(loaded, out=Path(out), **options), [sink])
    return open_state(out)


def open_state(out: str) -> dict[str, Any]:
    return {name: array.tobytes() for name, array in open_run(Path(out), "last").engine.state().items()}


def test_the_run_is_that_in_memory() -> None:
    assert run(spec(), "disk") == run(spec("data.in_memory=true"), "memory")
    assert [each.what for each in entries()] == ["columns", "inputs"]


def test_a_second_run_makes_nothing_anew() -> None:
    first = run(spec(), "one")
    kept = {each.folder: (each.folder / "entry.json").read_text() for each in entries()}
    assert run(spec(), "other") == first
    assert {each.folder for each in entries()} == set(kept)


@pytest.mark.parametrize("step", [2, 11, 25])
def test_stopped_anywhere_it_resumes_to_the_same_bits(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saving, "SAVE_SECONDS", 0.0)
    whole = run(spec(), "whole")
    cut_after(step, spec(), Path("cut"))
    assert run(spec(), "cut", resume=True) == whole


def test_every_split_is_measured_as_in_memory() -> None:
    run(spec(), "disk")
    run(spec("data.in_memory=true"), "memory")
    for split in ("train", "validation", "test"):
        rows = [evaluate([open_run(Path(name))], split, top_k=1)[0].row for name in ("disk", "memory")]
        assert {**rows[0], "run": ""} == {**rows[1], "run": ""}


def test_a_table_that_changed_is_read_anew() -> None:
    text = (CHURN.parent / "data" / "churn.csv").read_text(encoding="utf-8")
    Path("churn.csv").write_text(text, encoding="utf-8")
    path = f"data.path={Path('churn.csv').resolve()}"
    first = run(spec(path), "one")
    Path("churn.csv").write_text(text.replace(",yes", ",maybe", 1), encoding="utf-8")
    with pytest.raises(SpecError, match="3 classes"):
        run(spec(path), "other")
    Path("churn.csv").write_text(text.replace("family", "single"), encoding="utf-8")
    assert run(spec(path), "third") != first


def test_three_files_on_disk_are_those_in_memory() -> None:
    head, *lines = (CHURN.parent / "data" / "churn.csv").read_text(encoding="utf-8").splitlines()
    # In the second file a column of whole numbers has a part, and columns come in another order.
    for name, part in (("a.csv", lines[:400]), ("b.csv", lines[400:500]), ("c.csv", lines[500:])):
        rows = [row.split(",") for row in (head, *part)]
        if name == "b.csv":
            rows[1][1] = "40.5"
            rows = [[row[-1], *row[:-1]] for row in rows]
        Path(name).write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")
    here = Path().resolve()
    files = [
        f"data.{key}={here / name}" for key, name in (("train", "a.csv"), ("validation", "b.csv"), ("test", "c.csv"))
    ]
    overrides = ("data.path=null", *files)
    assert run(spec(*overrides), "disk") == run(spec(*overrides, "data.in_memory=true"), "memory")
    rows = [evaluate([open_run(Path(name))], "test")[0].row for name in ("disk", "memory")]
    assert {**rows[0], "run": ""} == {**rows[1], "run": ""}


@pytest.mark.parametrize(("units", "fewer"), [(4, 1), (20_000, 0)])
def test_a_small_net_leaves_a_core_to_the_thread_that_reads(units: int, fewer: int) -> None:
    loaded = spec(f"layers.0.units={units}")
    network = Network(loaded.spec, loaded.spec.data.signature(loaded.folder))
    assert beside_reading(network, 3, 4 * network.signature.input_shape[0]) == 3 - fewer
    assert beside_reading(network, 1, 4) == 1
