"""Models that make their inputs themselves, of a table's columns and of series, held against what `predict` does."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

import nnctl
from nnctl.components.encodings import Encoding
from nnctl.data.columns.category import Category
from nnctl.data.columns.date import Date
from nnctl.data.tables.cells import Cells, Table
from nnctl.errors import DataError
from nnctl.exchange.export import export
from nnctl.exchange.formats import Options
from nnctl.exchange.numpy_file.inputs import CALLS
from nnctl.exchange.raw import RawColumn, RawTable
from nnctl.inference.opened import open_run
from nnctl.spec.load import load_spec
from nnctl.training import session
from tests.exchange.columns import COLUMNS, rows_of, table_run

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from nnctl.exchange.onnx.columns import ENCODERS, NO_DATE, enter, fed  # noqa: E402
from nnctl.exchange.onnx.writer import Writer  # noqa: E402

ROOT = Path(__file__).parents[3]


class Nowhere:
    """A place of cells that are in no file."""

    name = doubt = ""

    def cell_error(self, row: int, column: str, message: str, expected: str = "", hint: str = "") -> DataError:
        return DataError(f"row {row}, {column}: {message}")


def session_of(run: Path, file: Path, **options: Any) -> Any:
    made = export(run, file, Options(**options))
    assert made.rows[0]["largest_difference"] <= 1e-5 * made.rows[0]["largest_answer"]
    onnx.checker.check_model(onnx.load(file), full_check=True)
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def given(rows: dict[str, list[Any]]) -> dict[str, np.ndarray]:
    """Rows as onnxruntime takes them, made as a user would from what the page on export says."""

    def instant(text: str | None, written: str | None) -> np.datetime64:
        if text is None:
            return np.datetime64("NaT")
        read = datetime.datetime.strptime(text, written) if written else datetime.datetime.fromisoformat(text)
        return np.datetime64(read, "us")

    made = {}
    for name, kind in COLUMNS.items():
        if kind["type"] == "number":
            made[name] = np.array([np.nan if cell is None else cell for cell in rows[name]])[:, None]
        elif kind["type"] == "category":
            made[name] = np.array(["" if cell is None else cell for cell in rows[name]], object)[:, None]
        elif kind["parts"]:
            read = np.array([instant(cell, kind.get("format")) for cell in rows[name]])
            made[name] = read.astype("datetime64[us]").astype(np.int64)[:, None]
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_run(tmp_path_factory.mktemp("columns"))


@pytest.fixture(scope="module")
def model(run: Path) -> Any:
    return session_of(run, run.parent / "model.onnx")


@pytest.mark.parametrize("count", [1, 7, 64])
def test_rows_as_they_are_give_what_predict_gives(run: Path, model: Any, count: int) -> None:
    rows = rows_of(count, seed=count)
    rows["country"][0], rows["plan"][0], rows["door"][0] = "XX", "none", "99"
    own = nnctl.load_run(run).predict({**rows, "size": [f"{size} m".replace(".", ",") for size in rows["size"]]})
    (values,) = model.run(["values"], given(rows))
    np.testing.assert_allclose(values, own, rtol=1e-5)
    assert own.std() > 0 or count == 1


@pytest.mark.parametrize(
    ("column", "cell"),
    [("size", None), ("size", 1e39), ("floor", "17"), ("country", None), ("door", None), ("signed", None),
     ("income", float("inf"))],
)  # fmt: skip
def test_what_predict_refuses_is_no_number_and_its_neighbours_are(
    run: Path, model: Any, column: str, cell: Any
) -> None:
    rows = rows_of(3)
    (before,) = model.run(["values"], given(rows))
    rows[column][1] = cell
    (values,) = model.run(["values"], given(rows))
    assert np.isnan(values[:, 0]).tolist() == [False, True, False]
    np.testing.assert_array_equal(values[[0, 2]], before[[0, 2]])
    with pytest.raises(DataError):
        nnctl.load_run(run).predict(rows)


def test_it_says_what_it_takes(model: Any) -> None:
    types = {i.name: (i.type, i.shape) for i in model.get_inputs()}
    assert types.keys() == COLUMNS.keys() - {"order"}
    assert types["age"] == ("tensor(double)", ["batch", 1])
    assert types["floor"] == ("tensor(string)", ["batch", 1])
    assert types["signed"] == ("tensor(int64)", ["batch", 1])
    words = model.get_modelmeta().custom_metadata_map
    said = json.loads(words["inputs"])
    assert said["age"]["columns"] == ["age"]
    assert "NaN where it is missing" in said["age"]["holds"]
    assert "microseconds since 1970" in said["signed"]["holds"]
    assert json.loads(words["nnctl.fitted"])["columns"]["age"]["fill"] > 0


def test_the_net_alone_takes_what_training_made(run: Path, tmp_path: Path) -> None:
    bare = session_of(run, tmp_path / "bare.onnx", encoded=True)
    (only,) = bare.get_inputs()
    assert (only.name, only.type) == ("input", "tensor(float)")
    assert "inputs" not in bare.get_modelmeta().custom_metadata_map


def test_columns_may_be_called_as_parts_of_the_file_are(tmp_path: Path) -> None:
    names = ["values", "input", "dense1.weight", "columns/Concat", "kind"]
    lines = [f"{i},{i % 5},{i % 3},{i % 7},{'ab'[i % 2]},{i % 4}.5" for i in range(40)]
    (tmp_path / "a.csv").write_text("\n".join([",".join([*names, "y"]), *lines]), encoding="utf-8")
    data = {"type": "csv", "path": str(tmp_path / "a.csv"), "target": "y", "test": 7, "transforms": ["standardize"]}
    spec = {"data": data, "layers": [{"type": "dense", "units": 1}], "cost": "mse", "backend": "numpy"}
    list(nnctl.train({**spec, "schedule": {"epochs": 1}}, out=tmp_path / "run"))
    found = session_of(tmp_path / "run", tmp_path / "model.onnx")
    columns = json.loads(found.get_modelmeta().custom_metadata_map["inputs"])
    assert [name for said in columns.values() for name in said["columns"]] == names
    assert [output.name for output in found.get_outputs()] == ["values"]


def test_numbers_alone_are_one_input(tmp_path: Path) -> None:
    lines = [f"{1.7e9 + i},{i % 5 or ''},{i % 9}" for i in range(60)]
    (tmp_path / "a.csv").write_text("\n".join(["when,x,y", *lines]), encoding="utf-8")
    data = {
        "type": "table", "path": str(tmp_path / "a.csv"), "target": "y", "target_type": "values", "test": 9,
        "columns": {"x": {"type": "number", "missing": "mean", "flag": True}},
    }  # fmt: skip
    spec = {"data": data, "layers": [{"type": "dense", "units": 1}], "cost": "mse", "backend": "numpy"}
    list(nnctl.train({**spec, "schedule": {"epochs": 1}}, out=tmp_path / "run"))
    found = session_of(tmp_path / "run", tmp_path / "model.onnx")
    (only,) = found.get_inputs()
    assert (only.name, only.type, only.shape) == ("input", "tensor(double)", ["batch", 2])
    # Seconds since 1970, which single precision would not tell apart.
    rows = np.array([[1.7e9 + 3, np.nan], [1.7e9 + 4, 2.0], [np.nan, 2.0]])
    (values,) = found.run(None, {"input": rows})
    own = nnctl.load_run(tmp_path / "run").predict({"when": rows[:2, 0], "x": [None, 2.0]})
    np.testing.assert_allclose(values[:2], own, rtol=1e-5)
    assert np.isnan(values[2, 0])


def test_steps_of_one_length_and_what_only_a_kind_knows(run: Path, tmp_path: Path, monkeypatch: Any) -> None:
    lines = [f"{i},{i * 1.5 % 7}" for i in range(80)]
    (tmp_path / "a.csv").write_text("\n".join(["t,x", *lines]), encoding="utf-8")
    data = {"type": "series", "path": str(tmp_path / "a.csv"), "columns": ["x"], "window": 4, "horizon": 2, "test": 20}
    layers = ["flatten", {"type": "dense", "units": 2}]
    spec = {"data": data, "layers": layers, "cost": "mse", "backend": "numpy", "schedule": {"epochs": 1}}
    list(nnctl.train(spec, out=tmp_path / "run"))
    (only,) = session_of(tmp_path / "run", tmp_path / "model.onnx").get_inputs()
    assert only.shape == ["batch", 4, 1]
    monkeypatch.setattr(Category, "encoding", lambda kind, fitted: None)
    made = export(run, tmp_path / "given.onnx", Options())
    assert made.notes[0] == (
        "made into inputs by their kind alone, and taken as what training made of them: plan, country, floor, door"
    )
    inputs = {i.name: (i.type, i.shape) for i in onnxruntime.InferenceSession(tmp_path / "given.onnx").get_inputs()}
    assert inputs["plan"] == ("tensor(float)", ["batch", 1])
    assert inputs["floor"] == ("tensor(float)", ["batch", 5])
    assert export(run, tmp_path / "net.py", Options()).rows[0]["largest_difference"] == 0


def test_tables_on_disk_and_a_training_set_with_copies(tmp_path: Path) -> None:
    lines = [f"{i % 11},{'abc'[i % 3]},{i % 2}" for i in range(50)]
    (tmp_path / "a.csv").write_text("\n".join(["x,k,y", *lines]), encoding="utf-8")
    data = {"type": "table", "path": str(tmp_path / "a.csv"), "target": "y", "target_type": "values"}
    copies = {"type": "augmented", "augment": [{"type": "noise", "std": 0.1}]}
    for more in ({"in_memory": False, "test": 9}, {"expand": [copies]}):
        spec = {"data": {**data, **more}, "layers": [{"type": "dense", "units": 1}], "cost": "mse", "backend": "numpy"}
        run = tmp_path / next(iter(more))
        list(nnctl.train({**spec, "schedule": {"epochs": 1}}, out=run))
        assert [i.name for i in session_of(run, run.with_suffix(".onnx")).get_inputs()] == ["x", "k"]


def trained(folder: Path, spec: str) -> Path:
    list(session.train(load_spec(ROOT / spec, ["schedule.epochs=1", "backend=numpy"]), out=folder / "run"))
    return folder / "run"


def test_windows_of_a_series_in_their_own_units(tmp_path: Path) -> None:
    run = trained(tmp_path, "specs/energy.yaml")
    found = session_of(run, tmp_path / "model.onnx")
    table = np.genfromtxt(ROOT / "specs/data/energy.csv", delimiter=",", names=True, usecols=(1, 2))
    raw = np.stack([table["load"], table["temperature"]], axis=1)
    opened = open_run(run)
    scaling = [opened.fitted["series"][name] for name in ("load", "temperature")]
    shift, scale = (np.array([each[what] for each in scaling]) for what in ("shift", "scale"))
    for count in (1, 7, 64):
        windows = np.stack([raw[first : first + 24] for first in range(count)])
        (values,) = found.run(None, {"input": windows})
        np.testing.assert_allclose(values, opened.scores(((windows - shift) * scale).astype(np.float32)), rtol=1e-5)
    # In the units of the load, and the step that follows is the forecast's first.
    assert 0.3 < values.mean() / raw[:, 0].mean() < 3
    windows[0, 3, 1] = np.nan
    (values,) = found.run(None, {"input": windows})
    assert np.isnan(values).any(axis=1).tolist() == [True] + [False] * 63


def test_sequences_end_where_every_column_is_missing(tmp_path: Path) -> None:
    run = trained(tmp_path, "specs/gestures.yaml")
    found = session_of(run, tmp_path / "model.onnx")
    raw = np.full((4, 6, 2), np.nan)
    for place, steps in enumerate((6, 3, 4, 4)):
        raw[place, :steps] = np.random.default_rng(place).normal(size=(steps, 2))
    raw[2, 1] = np.nan  # a gap
    raw[3, 1, 0] = np.nan  # half a step
    (answers,) = found.run(None, {"input": raw})
    assert np.isnan(answers[:, 0]).tolist() == [False, False, True, True]
    (longer,) = found.run(None, {"input": np.concatenate([raw, np.full((4, 5, 2), np.nan)], axis=1)})
    np.testing.assert_allclose(longer[:2], answers[:2], rtol=1e-5)
    table = tmp_path / "table.csv"
    lines = [f"{g},{s},{x!r},{y!r}" for g in (0, 1) for s, (x, y) in enumerate(raw[g, : (6, 3)[g]].tolist())]
    header = (ROOT / "specs/data/gestures.csv").read_text(encoding="utf-8").partition("\n")[0].split(",")
    columns = [name for name in header if name not in ("gesture", "step", "kind")]
    table.write_text("\n".join([",".join(["gesture", "step", *columns]), *lines]), encoding="utf-8")
    np.testing.assert_allclose(answers[:2], nnctl.load_run(run).predict(table), rtol=1e-5)


def alone(kind: Any, fitted: dict[str, Any], cells: Cells) -> np.ndarray:
    """What a model of nothing but one column's encoding makes of its cells."""
    column = RawColumn("x", kind, fitted, kind.features("x", fitted), kind.encoding(fitted))
    raw = RawTable((column,), None, ())
    w = Writer()
    entrance = enter(w, raw, "input", ("batch", len(column.features)))
    out = onnx.helper.make_tensor_value_info(entrance.made, 1, ["batch", len(column.features)])
    body = onnx.helper.make_graph(w.nodes, "one", list(entrance.inputs), [out], w.tensors({*w.initializers}))
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    text = onnx.helper.make_model(body, opset_imports=domains, ir_version=8).SerializeToString()
    found = onnxruntime.InferenceSession(text, providers=["CPUExecutionProvider"])
    made: np.ndarray = found.run(None, fed(raw, entrance, Table({"x": cells.values}, cells.place)))[0]
    return made


def test_the_calendar_is_ours_from_the_year_1_to_9999() -> None:
    edges = [
        np.datetime64(day, "us")
        for year in ("0001", "1600", "1700", "1899", "1900", "1968", "1969", "1970", "2000", "2023", "2024", "9999")
        for day in (f"{year}-{rest}" for rest in ("01-01", "02-28T23:59", "03-01T12:34", "12-31T23:59:59.999999"))
    ]
    low, high = (int(np.datetime64(day, "us").astype(np.int64)) for day in ("0001-01-01", "9999-12-31"))
    some = np.random.default_rng(0).integers(low, high, 3000)
    leap = np.array(["2024-02-29", "2000-02-29", "1600-02-29"], "datetime64[us]")
    dates = np.concatenate([np.array(edges), some.view("datetime64[us]"), leap])
    cells = Cells("x", pa.chunked_array([pa.array(dates)]), Nowhere())
    parts = ("elapsed", "year", "month", "day", "weekday", "yearday", "hour", "minute")
    for cyclic in ("circle", "one_hot"):
        kind = Date(parts=parts, cyclic=cyclic)  # type: ignore[arg-type]
        fitted = dict(kind.fit(cells))
        np.testing.assert_allclose(alone(kind, fitted, cells), kind.encode(cells, fitted), rtol=1e-6, atol=1e-7)


def test_a_missing_date_is_that_of_numpy() -> None:
    assert np.int64(NO_DATE).view("datetime64[us]") != np.int64(NO_DATE).view("datetime64[us]")


def test_a_name_may_be_empty_where_it_is_no_missing_one() -> None:
    cells = Cells("x", pa.chunked_array([pa.array(["", "a", "b", "a"])]), Nowhere())
    kind = Category(unseen="other")
    fitted = dict(kind.fit(cells))
    np.testing.assert_array_equal(alone(kind, fitted, cells), kind.encode(cells, fitted))


def test_each_encoding_has_words_in_each_format() -> None:
    assert set(get_args(Encoding)) == ENCODERS.keys() == CALLS.keys()
