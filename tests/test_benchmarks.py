"""The benchmark's workloads are nets of ours, its check finds other work, its pages hold what was kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nnctl.backends.cpu.codegen.source import missing
from nnctl.graph.network import Network
from nnctl.spec.load import load_text

pytest.importorskip("benchmarks", reason="benchmarks/ lies beside a checkout's tests, not beside an sdist's")

from benchmarks import machines, record
from benchmarks.arena import DisagreementError, check_agreement
from benchmarks.files import reading
from benchmarks.nets import placed
from benchmarks.ours import signature, spec
from benchmarks.workloads import CPU, GPU, Workload


@pytest.mark.parametrize("workload", CPU, ids=lambda w: w.name)
def test_a_workload_is_a_net_that_the_compiled_backend_runs(workload: Workload) -> None:
    network = Network(load_text(spec(workload, "cpu")).spec, signature(workload))
    assert not missing(network.training_step)
    shapes = {name: parameter.shape for name, parameter in network.structure.parameters.items()}
    assert shapes == {name: array.shape for name, array in workload.weights().items()}
    outputs = {layer.path: layer.output_shape[1:] for layer in network.structure.layers}
    for name, layer, shape in placed(workload.net, workload.data.shape):
        assert outputs[name] == layer.output(shape)


def test_flops_are_those_of_the_products() -> None:
    flops = {workload.name: workload.flops for workload in CPU}
    assert flops["MLP 784-30-10, batch 10"] == 2 * 10 * (3 * 30 * 10 + 2 * 784 * 30)
    first, second = 24 * 24 * 20 * 25, 8 * 8 * 40 * 25 * 20
    dense = 640 * 100 + 100 * 10
    assert flops["CNN 5×5×20-P-5×5×40-P-100-10, batch 10"] == 2 * 10 * (2 * first + 3 * (second + dense))
    assert flops["char LSTM 128, time 64, batch 32"] == 2 * 32 * 64 * 3 * (128 * 4 * 128 + 128 * 65)


def test_other_costs_are_no_agreement() -> None:
    check_agreement(CPU[0], {"nnctl": [2.3, 2.2], "equal": [2.300001, 2.200001], "of one step": [2.3]})
    with pytest.raises(DisagreementError, match=r"MLP 784-30-10[\s\S]*another: 2\.3, 2\.21"):
        check_agreement(CPU[0], {"nnctl": [2.3, 2.2], "another": [2.3, 2.21]})


def test_readers_of_tables_read_the_same(tmp_path) -> None:
    for path, _ in reading.files(tmp_path, 50):
        rows, total = reading.reader("nnctl")(path)
        assert rows == 50
        assert reading.reader("pyarrow")(path) == (rows, pytest.approx(total))
    row = {"file": "csv", "processor_s": {"nnctl": 1.0, "pyarrow": 0.5}}
    assert reading.table_of([row])[-1] == "| csv | 1.00 | 0.50 | 2.00 |"
    with pytest.raises(ValueError, match="rows and the sum of a column differ"):
        reading.check("csv", {"nnctl": [{"rows": 2, "sum": 1.0}], "pyarrow": [{"rows": 2, "sum": 1.1}]})


@pytest.mark.parametrize("page", machines.PAGES, ids=lambda page: page.name)
def test_pages_hold_the_kept_figures(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert machines.page_with_figures(page) == text, "python -m benchmarks machines --write renews the table"


def test_results_of_two_machines_stand_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    for machine, cores, date, ours in (
        ("b (Linux)", 2, "1", 4.0),
        ("a (Linux)", 1, "1", 1.0),
        ("b (Linux)", 2, "2", 2.0),
    ):
        row = {"workload": "net", "best_ms": {"nnctl": ours, "JAX": 5.0}, "best_peer": "JAX", "ratio": 5.0 / ours}
        record.keep("cpu", {"machine": machine, "cores": cores, "date": date, "rows": [row]}, f"of {date}")
    assert sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.md")) == [
        "a-1-core/cpu.md",
        "b-2-cores/cpu.md",
    ]
    assert (tmp_path / "b-2-cores" / "cpu.md").read_text() == "of 2\n"
    assert json.loads((tmp_path / "b-2-cores" / "cpu.json").read_text())["date"] == "2"
    page = machines.renewed("x\n| net, batch | old |\n|---|\ny\n", machines.table(machines.results(tmp_path), ["net"]))
    assert page.splitlines()[1] == "| net, batch | a, 1 core | best peer / nnctl | b, 2 cores | best peer / nnctl |"
    assert page.splitlines()[3:] == ["| net | 1.00 | 5.00 JAX | 2.00 | 2.50 JAX |", "y"]
    with pytest.raises(ValueError, match="no table"):
        machines.renewed("x\n", [])


def test_a_page_may_hold_the_machines_measured_last() -> None:
    dates = {"a": "2026-11", "b": "2026-11-27", "c": "2026-11-21"}
    kept = [{"machine": name, "date": date} for name, date in dates.items()]
    assert machines.latest(kept, None) == kept
    assert [result["machine"] for result in machines.latest(kept, 2)] == ["b", "c"]


def test_rows_of_gpus_stand_where_one_has_them(tmp_path: Path) -> None:
    assert machines.gpu_table([])[2:] == ["| none is kept yet | – |"]
    row = {
        "workload": GPU[1].name, "precision": "tf32", "median_ms": {"nnctl": 0.0188, "torch graph": 0.1},
        "ratio": 5.32, "best_peer": "torch graph", "way": "one kernel",
    }  # fmt: skip
    for name, result in (("a", {"timings": [row]}), ("b", {})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "gpu.json").write_text(json.dumps({"device": {"name": f"A {name}"}, **result}))
    assert machines.gpu_table(machines.gpu_results(tmp_path)) == [
        "| net, batch on a GPU | precision | A a | best peer / nnctl | by | A b | best peer / nnctl | by |",
        "|---|---|---|---|---|---|---|---|",
        f"| {GPU[1].name} | tf32 | 0.0188 | 5.32 torch graph | one kernel | – | – | – |",
    ]
