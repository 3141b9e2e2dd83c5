"""Nets as programs that need NumPy alone: every kind of layer, run and held against the engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnctl
from nnctl.components.registry import components
from nnctl.components.signature import DataSignature
from nnctl.engine.engine import Engine
from nnctl.errors import DataError, ExchangeFailed, UsageError
from nnctl.exchange.export import export
from nnctl.exchange.formats import Options
from nnctl.exchange.numpy_file import format as numpy_format
from nnctl.exchange.numpy_file import functions
from nnctl.exchange.numpy_file.writing import write_net
from nnctl.graph.network import Network
from nnctl.inference.opened import read_run
from nnctl.spec.dump import dump_data
from nnctl.spec.load import load_text
from tests.exchange.columns import rows_of, table_run

ROOT = Path(__file__).parents[2]
IMAGE, SEQUENCE = (5, 6, 4), (4, 3)
NETS: list[tuple[list[Any], tuple[int, ...]]] = [
    ([{"type": "conv2d", "filters": 4, "kernel": [3, 2], "stride": [2, 1], "padding": 1, "groups": 2}], IMAGE),
    ([{"type": "conv2d", "filters": 2, "kernel": 2, "dilation": 2, "activation": "gelu"}], IMAGE),
    ([{"type": "conv_transpose2d", "filters": 4, "kernel": 3, "stride": 2, "padding": 1, "groups": 2}], IMAGE),
    ([{"type": "conv1d", "filters": 2, "kernel": 2, "padding": "same"}, "batch_norm", "dropout"], SEQUENCE),
    ([{"type": "max_pool", "size": 3, "stride": 2, "padding": 1}], IMAGE),
    ([{"type": "average_pool", "size": 2, "padding": 1, "count_padding": False}], IMAGE),
    (["l2_pool"], IMAGE),
    (["global_average_pool"], IMAGE),
    (["global_max_pool"], IMAGE),
    ([{"type": "upsample", "factor": [2, 3]}], IMAGE),
    ([{"type": "upsample", "factor": [1, 3], "interpolation": "bilinear"}], IMAGE),
    ([{"type": "conv3d", "filters": 2, "kernel": 2, "padding": 1}], (3, 4, 3, 2)),
    ([{"type": "layer_norm", "axes": [1, 3]}, "flatten", {"type": "dense", "units": 2}], IMAGE),
    ([{"type": "residual", "layers": [{"type": "repeat", "times": 2, "layers": [{"type": "dense", "units": 3}]}]}],
     SEQUENCE),
    ([{"type": "dense", "name": "a", "units": 2}, {"type": "dense", "name": "b", "units": 3, "tied_to": "a"}], (3,)),
    ([{"type": "dense", "name": "class", "units": 2}, {"type": "dense", "name": "x", "units": 2, "inputs": ["input"]},
      {"type": "concatenate", "inputs": ["class", "x"]}], (3,)),
    ([{"type": "rnn", "units": 2, "activation": "relu", "bidirectional": True}], SEQUENCE),
    ([{"type": "mask", "name": "there"},
      {"type": "lstm", "units": 2, "return_sequence": True, "inputs": ["input", "there"]}], SEQUENCE),
    ([{"type": "mask", "name": "there"}, {"type": "gru", "units": 2, "inputs": ["input", "there"]}], SEQUENCE),
    ([{"type": "lstm", "units": 2, "peepholes": True}], SEQUENCE),
    ([{"type": "gru", "units": 2, "reset_after": False, "return_sequence": True}], SEQUENCE),
    ([{"type": "echo_state", "units": 4, "leak": 0.3, "washout": 1}, {"type": "dense", "units": 1}], SEQUENCE),
    *([([{"type": "activation", "activation": name}], (3,)) for name in components("activation")]),
]  # fmt: skip


CLASSES = ("quo'te", "back\\slash 😀", "{x}")


def agree(net: list[Any], signature: DataSignature, rows: Any, folder: Path) -> None:
    loaded = load_text(dump_data({"data": {"type": "blobs"}, "cost": "mse", "backend": "numpy", "layers": net}))
    shape = Network(loaded.spec, signature).structure.output_shape[1:]
    signature = DataSignature(signature.input_shape, signature.input_dtype, target_shape=tuple(map(int, shape)))
    engine = Engine(loaded.spec, signature, seed=1, examples=10)
    rng = np.random.default_rng(0)
    changed = {n: rng.uniform(0.2, 1.0, a.shape).astype(np.float32) for n, a in engine.state().items()
               if not n.startswith("optimizer")}  # fmt: skip
    engine.assign(changed)
    (folder / "net.py").write_text(write_net(engine.network), encoding="utf-8")
    np.savez(folder / "net.npz", **changed)
    program: dict[str, Any] = {"__file__": str(folder / "net.py"), "__name__": "net"}
    exec(compile((folder / "net.py").read_text(encoding="utf-8"), "net.py", "exec"), program)
    np.testing.assert_allclose(program["outputs"](rows), engine.outputs(rows), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("net", "shape"), NETS, ids=lambda value: str(value)[:60])
def test_it_computes_what_the_engine_does(net: list[Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    rows = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    if net[0] == {"type": "mask", "name": "there"}:
        rows[0, 2:] = 0.0
    agree(net, DataSignature(shape), rows, tmp_path)


@pytest.mark.parametrize(
    "first", [{"type": "embedding", "units": 3, "vocabulary": 5}, {"type": "one_hot", "vocabulary": 5}]
)
def test_indices(first: dict[str, Any], tmp_path: Path) -> None:
    rows = np.array([[0, 4, 2], [1, 1, 3]])
    agree([first, {"type": "lstm", "units": 2}], DataSignature((3,), "index"), rows, tmp_path)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "lstm", "units": 2, "stateful": True}, "'lstm1': it is stateful"),
        ({"type": "lstm", "units": 2}, "'lstm1': its op lstm has no words"),
    ],
)
def test_what_has_no_words_is_refused_by_name(
    layer: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An op that has come to take more than the function knows.
    monkeypatch.setattr(functions, "lstm", lambda p, R, h: p)
    text = dump_data({"data": {"type": "text", "path": "a.txt"}, "cost": "mse", "layers": [layer]})
    with pytest.raises(UsageError, match=message):
        write_net(Network(load_text(text).spec, DataSignature(SEQUENCE)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    net = [{"type": "dense", "units": 3, "activation": "softmax"}]
    spec = {
        "data": {"type": "csv", "path": str(folder.parent / "a.csv"), "target": "y", "test": 0.2},
        "layers": net,
        "cost": "log_likelihood",
    }
    lines = [f"{i},{i % 7},{CLASSES[i % 3]}" for i in range(40)]
    (folder.parent / "a.csv").write_text("\n".join(["a,b,y", *lines]), encoding="utf-8")
    list(nnctl.train({**spec, "backend": "numpy", "schedule": {"epochs": 1}}, out=folder))
    return folder


def test_it_is_a_program_without_nnctl(run: Path, tmp_path: Path) -> None:
    exported = export(run, tmp_path / "net.py", Options(encoded=True))
    assert exported.rows[0]["largest_difference"] < 1e-6
    rows = np.random.default_rng(0).normal(size=(5, 2))
    np.save(tmp_path / "rows.npy", rows)
    done = subprocess.run(
        [sys.executable, "-s", str(tmp_path / "net.py"), str(tmp_path / "rows.npy")],
        capture_output=True, text=True, check=True, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    opened = nnctl.load_run(run)
    assert opened.classes is not None
    assert done.stdout.splitlines() == [opened.classes[i] for i in opened.predict(rows).argmax(axis=1)]
    done = subprocess.run([sys.executable, str(tmp_path / "net.py")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, "THIS_FILE inputs.npy" in done.stderr) == (1, "", True)
    assert exported.notes == ["the inputs are the numbers that training made of the columns: a, b"]
    text = (tmp_path / "net.py").read_text(encoding="utf-8")
    assert "COLUMNS = ['a', 'b']" in text
    assert "nnctl" not in text.replace("written by `nnctl export`", "")


def test_what_an_encoding_lacks_is_escaped(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "net.py", Options(encoded=True))
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).normal(size=(50, 2)))
    done = subprocess.run(
        [sys.executable, "-s", str(tmp_path / "net.py"), str(tmp_path / "rows.npy")],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert set(done.stdout.splitlines()) <= {name.encode("ascii", "backslashreplace").decode() for name in CLASSES}


@pytest.mark.parametrize("count", [1, 50_000])
def test_a_reader_that_has_gone_is_no_error(run: Path, count: int, tmp_path: Path) -> None:
    """Whether the answers fit a buffer or not: as `head -0` leaves, before the first."""
    export(run, tmp_path / "net.py", Options(encoded=True))
    np.save(tmp_path / "rows.npy", np.zeros((count, 2)))
    reads, writes = os.pipe()
    os.close(reads)
    program = [sys.executable, "-s", str(tmp_path / "net.py"), str(tmp_path / "rows.npy")]
    done = subprocess.run(program, stdout=writes, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writes)
    assert (done.returncode, done.stderr) == (141, "")


def test_where_it_is_off_there_is_no_file(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = numpy_format._archive
    monkeypatch.setattr(numpy_format, "_archive", lambda arrays: archive({n: a * 1.001 for n, a in arrays.items()}))
    with pytest.raises(ExchangeFailed, match="the program answers otherwise, by up to"):
        export(run, tmp_path / "net.py", Options())
    assert list(tmp_path.iterdir()) == []
    export(run, tmp_path / "net.py", Options(check=False))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.npz", "net.py"]


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A run on every kind of column, and its net's file as a module."""
    folder = tmp_path_factory.mktemp("columns")
    run = table_run(folder)
    assert export(run, folder / "net.py", Options()).rows[0]["largest_difference"] == 0
    return run, module_of(folder / "net.py")


def module_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"__file__": str(file), "__name__": "net"}
    exec(compile(file.read_text(encoding="utf-8"), "net.py", "exec"), found)
    return found


def test_columns_as_they_are_give_what_predict_gives(columns: tuple[Path, dict[str, Any]]) -> None:
    run, net = columns
    for count in (1, 7, 64):
        rows = rows_of(count, seed=count)
        rows["country"][0], rows["plan"][0], rows["door"][0] = "XX", "none", "99"
        own = nnctl.load_run(run).predict(rows)
        by_row = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
        np.testing.assert_allclose(net["outputs"](rows), own, rtol=1e-5)
        np.testing.assert_allclose(net["outputs"](by_row), own, rtol=1e-5)


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [("size", None, "row 1 .*'size' lacks a number"), ("size", 1e39, "too large"), ("floor", "17", "'floor' lacks"),
     ("country", None, "'country' lacks"), ("door", "", "'door' lacks"), ("signed", "", "'signed' lacks a date")],
)  # fmt: skip
def test_what_predict_refuses_it_refuses(
    columns: tuple[Path, dict[str, Any]], column: str, cell: Any, message: str
) -> None:
    rows = rows_of(3)
    rows[column][1] = cell
    with pytest.raises(ValueError, match=message):
        columns[1]["outputs"](rows)


def test_it_reads_a_table(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "net.py", Options())
    (tmp_path / "rows.csv").write_text("b,a\n 3,1.5\n4,2\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-s", str(tmp_path / "net.py"), str(tmp_path / "rows.csv")],
        capture_output=True, text=True, check=True, encoding="utf-8", env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    opened = nnctl.load_run(run)
    assert opened.classes is not None
    answers = opened.predict({"a": [1.5, 2.0], "b": [3.0, 4.0]}).argmax(axis=1)
    assert done.stdout.splitlines() == [opened.classes[i] for i in answers]


OFFICE = """Alter;Lohn, netto;Quote;Ort;seit;was
33;24.134,13 €;12,5 %;Köln;30.04.2021;geht
;850 €;3 %;Ulm;01.02.2021;bleibt
61;1.850,5 €;100 %;;02.03.2021;bleibt
"""


def office_run(folder: Path) -> Path:
    (folder / "t.csv").write_text(OFFICE + "".join(OFFICE.splitlines(True)[1:] * 9), encoding="cp1252")
    spec = {
        "data": {
            "type": "table", "path": str(folder / "t.csv"), "target": "was", "encoding": "cp1252", "decimal": ",",
            "columns": {
                "Alter": {"type": "number", "missing": "median"},
                "Lohn, netto": {"type": "number", "thousands": ".", "unit": "€"},
                "Quote": {"type": "number", "unit": "%"},
                "Ort": {"type": "category", "missing": "category"},
                "seit": {"type": "date", "format": "%d.%m.%Y"},
            },
        },
        "layers": [{"type": "dense", "units": 2, "activation": "softmax"}],
        "cost": "log_likelihood", "backend": "numpy", "schedule": {"epochs": 2},
    }  # fmt: skip
    list(nnctl.train(spec, out=folder / "run"))
    export(folder / "run", folder / "net.py", Options())
    return folder / "run"


def test_it_reads_a_table_as_its_run_does(tmp_path: Path) -> None:
    opened = nnctl.load_run(office_run(tmp_path))

    def answered(name: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-I", "-X", "utf8", str(tmp_path / "net.py"), str(tmp_path / name)]
        return subprocess.run(program, capture_output=True, text=True, check=False, encoding="utf-8")

    done = answered("t.csv")
    answers = opened.predict(tmp_path / "t.csv").argmax(axis=1)
    assert opened.classes is not None
    assert done.stdout.splitlines() == [opened.classes[i] for i in answers], done.stderr
    for old, new, said in (
        ("850 €", "8.50 €", "'8.50 €' is no number as the table writes them"),
        ("3 %", "3", "'3' is no number"),
        ("33;", "3.3;", "'3.3' is no number"),
        ("33;", "33;33;", ":2: other cells than columns"),
        (";geht", "", ":2: other cells than columns"),
    ):
        (tmp_path / "wrong.csv").write_text(OFFICE.replace(old, new, 1), encoding="cp1252")
        done = answered("wrong.csv")
        assert done.returncode == 1
        assert said in done.stderr
        with pytest.raises(DataError):
            opened.predict(tmp_path / "wrong.csv")


@pytest.mark.parametrize(("before", "behind"), [("\u2212", ""), ("", "-"), ("(", ")")])
def test_signs_of_typographers_and_accountants(before: str, behind: str, tmp_path: Path) -> None:
    rows = [f"{before}{i}.5{behind},owes" if i % 3 == 0 else f"{i}.5,has" for i in range(1, 31)]
    (tmp_path / "t.csv").write_text("\n".join(["amount,who", *rows]), encoding="utf-8")
    columns = {"amount": {"type": "number", "decimal": "."}}
    spec = {
        "data": {"type": "table", "path": str(tmp_path / "t.csv"), "target": "who", "columns": columns},
        "layers": [{"type": "dense", "units": 2, "activation": "softmax"}],
        "cost": "log_likelihood", "backend": "numpy", "schedule": {"epochs": 2},
    }  # fmt: skip
    list(nnctl.train(spec, out=tmp_path / "run"))
    assert export(tmp_path / "run", tmp_path / "net.py", Options()).rows[0]["largest_difference"] < 1e-6


@pytest.mark.parametrize("spec", ["energy", "gestures"])
def test_steps_in_their_own_units(spec: str, tmp_path: Path) -> None:
    overrides = {"schedule.epochs": 1, "backend": "numpy"}
    list(nnctl.train(ROOT / f"specs/{spec}.yaml", out=tmp_path / "run", **overrides))
    assert export(tmp_path / "run", tmp_path / "net.py", Options()).rows[0]["largest_difference"] < 1e-3
    net = module_of(tmp_path / "net.py")
    steps = np.ones((2, read_run(tmp_path / "run").signature.input_shape[0], 2))
    assert np.isfinite(net["outputs"](steps)).all()
    steps[1, 1] = np.nan
    with pytest.raises(ValueError, match="row 1"):
        net["outputs"](steps)
