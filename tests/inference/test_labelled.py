"""New labelled data measured: tables, archives and folders, classes by name, costs by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.errors import DataError, UsageError
from nnctl.inference.evaluation import evaluate
from nnctl.inference.opened import open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

NET = "layers: [{type: dense, units: UNITS, activation: softmax}]\ncost: log_likelihood\nschedule: {epochs: 3}\n"
COUNT = 40


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def train(text: str, out: str, *overrides: str) -> None:
    follow(session.train(load_text(text, "s.yaml", ("backend=numpy", *overrides)), out=Path(out)), [RunSink()])


def write_table(path: str, seed: int, names: tuple[str, ...] = ("no", "yes"), order: str = "abky") -> list[str]:
    rng = np.random.default_rng(seed)
    a, b, kinds = rng.normal(size=COUNT), rng.normal(3.0, 9.0, COUNT), rng.integers(0, 3, COUNT)
    labels = [names[int(x > 0)] for x in a + rng.normal(size=COUNT)]
    cells = {"a": a.tolist(), "b": b.tolist(), "k": [f"kind{i}" for i in kinds], "y": labels}
    Path(path).write_text(
        ",".join(order) + "\n" + "".join(f"{','.join(str(cells[c][i]) for c in order)}\n" for i in range(COUNT))
    )
    return labels


@pytest.mark.parametrize("kind", ["csv", "table"])
@pytest.mark.parametrize("names", [("no", "yes"), ("1", "10")])
def test_a_table_is_measured_as_a_split_is(kind: str, names: tuple[str, str]) -> None:
    """The run's own training rows, in another file with other columns' order, have the cost of the training split."""
    write_table("t.csv", 0, names)
    train(
        f"data: {{type: {kind}, path: t.csv, target: y}}\n{NET.replace('UNITS', '2')}metrics: [accuracy, f1]\n", "out"
    )
    write_table("n.csv", 0, names, "kyba")
    run = open_run(Path("out"))
    (expected,), (found,) = evaluate([run], "train"), evaluate([run], data=Path("n.csv"), top_k=2)
    assert found.row == {
        name: value for name, value in ({"data": "n.csv"} | expected.row | {"top_2": 1.0}).items() if name != "split"
    }
    np.testing.assert_array_equal(found.confusion, expected.confusion)


def test_classes_are_matched_by_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    """A file of one class, which has another number among the run's."""
    write_table("t.csv", 0)
    train(f"data: {{type: table, path: t.csv, target: y}}\n{NET.replace('UNITS', '2')}", "out")
    rows = Path("t.csv").read_text().splitlines()
    Path("yes.csv").write_text("\n".join([rows[0], *(row for row in rows if row.endswith("yes"))]))
    assert main(["evaluate", "out", "--data", "yes.csv", "--confusion"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["classes"] == ["no", "yes"]
    assert row["confusion"][0] == [0, 0]
    assert sum(row["confusion"][1]) == row["examples"] == len(Path("yes.csv").read_text().splitlines()) - 1
    Path("maybe.csv").write_text("\n".join([*rows[:3], rows[3].rpartition(",")[0] + ",maybe"]))
    assert main(["evaluate", "out", "--data", "maybe.csv"]) == 3
    said = capsys.readouterr().err
    assert "maybe.csv:4:" in said
    assert "'maybe' is no class of the net" in said
    assert "expected one of no, yes" in said
    Path("bare.csv").write_text("\n".join(row.rpartition(",")[0] for row in rows))
    assert main(["evaluate", "out", "--data", "bare.csv"]) == 3
    assert "bare.csv: there is no column y, which answers are measured by" in capsys.readouterr().err
    assert main(["evaluate", "out", "--data", "t.csv", "--split", "train"]) == 2


def test_values_and_ensembles() -> None:
    rng = np.random.default_rng(1)
    for name, count in (("t.csv", 40), ("n.csv", 9)):
        x = rng.normal(size=(count, 2))
        y = 1000.0 * x[:, 0] + 5000.0
        Path(name).write_text("y,p,q\n" + "".join(f"{t},{a},{b}\n" for t, (a, b) in zip(y, x)))
    text = (
        "data: {type: table, path: t.csv, target: y, target_transforms: [standardize]}\n"
        "layers: [{type: dense, units: 1}]\ncost: mse\nmetrics: [mae]\nschedule: {epochs: 5}\n"
    )
    for seed in range(2):
        train(text, f"out-{seed}", f"seed={seed}", "data.seed=0")
    runs = [open_run(Path(f"out-{seed}")) for seed in range(2)]
    one, other, mean = (result.row for result in evaluate(runs, data=Path("n.csv")))
    table = np.loadtxt("n.csv", delimiter=",", skiprows=1)
    fitted = np.loadtxt("t.csv", delimiter=",", skiprows=1)[:, 1:]
    inputs = ((table[:, 1:] - fitted.mean(0)) / fitted.std(0)).astype(np.float32)
    errors = [run.scores(inputs)[:, 0] - table[:, 0] for run in runs]
    for row, error in zip((one, other), errors):
        assert row["mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert mean["mse"] == pytest.approx(np.mean(np.mean(errors, axis=0) ** 2), rel=1e-5)
    assert (mean["data"], mean["examples"]) == ("n.csv", 9)


def test_an_archive_of_arrays() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype(np.float32), rng.integers(0, 3, 30)
    np.savez("t.npz", inputs=x, targets=np.array(["a", "b", "c"])[y])
    train(f"data: {{type: npz, path: t.npz}}\n{NET.replace('UNITS', '3')}", "out")
    np.savez("n.npz", inputs=x[y > 0], targets=np.array(["a", "b", "c"])[y[y > 0]])
    run = open_run(Path("out"))
    (found,) = evaluate([run], data=Path("n.npz"))
    assert found.row["accuracy"] == np.mean(run.scores(x[y > 0]).argmax(1) == y[y > 0])
    np.savez("n.npz", inputs=x, targets=np.array(["a", "d", "c"])[y])
    with pytest.raises(DataError, match=r"is of 'd', which is no class of the net\n  expected one of a, b, c"):
        evaluate([run], data=Path("n.npz"))
    np.savez("n.npz", inputs=x[:, :3], targets=y)
    with pytest.raises(DataError, match=r"of shape \(3,\), and the net reads real of shape \(4,\)"):
        evaluate([run], data=Path("n.npz"))


def picture(path: str, level: int, size: int = 4) -> None:
    from PIL import Image

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (size, size), level).save(path)


def test_a_folder_of_images() -> None:
    for name, level in (("cat", 30), ("dog", 220), ("eel", 120)):
        for i in range(4):
            picture(f"photos/{name}/{i}.png", level + i)
    train(
        "data: {type: images, path: photos, grayscale: true}\nlayers: [flatten, {type: dense, units: 3, "
        "activation: softmax}]\ncost: log_likelihood\noptimizer: {type: adam, learning_rate: 0.1}\n"
        "schedule: {epochs: 60}\n",
        "out",
    )
    # Another size, and of the classes those in the middle and at the end alone.
    for name, level in (("dog", 222), ("eel", 118)):
        picture(f"new/{name}/x.png", level, size=9)
    (found,) = evaluate([open_run(Path("out"))], data=Path("new"))
    assert (found.row["accuracy"], found.row["examples"]) == (1.0, 2)
    picture("new/fox/x.png", 0)
    with pytest.raises(DataError, match="'fox', which is no class of the net"):
        evaluate([open_run(Path("out"))], data=Path("new"))


def test_an_autoencoder_needs_no_target() -> None:
    write_table("t.csv", 0)
    train(
        "data: {type: table, path: t.csv, target: y, reconstruct: true}\nlayers: [{type: dense, units: 5}]\ncost: mse\n"
        "schedule: {epochs: 2}\n",
        "out",
    )
    Path("n.csv").write_text("".join(f"{row.rpartition(',')[0]}\n" for row in Path("t.csv").read_text().splitlines()))
    run = open_run(Path("out"))
    (expected,), (found,) = evaluate([run], "train"), evaluate([run], data=Path("n.csv"))
    assert found.row["cost"] == expected.row["cost"]


def test_data_that_is_of_no_file() -> None:
    train(f"data: {{type: blobs, examples: 60}}\n{NET.replace('UNITS', '3')}", "out")
    with pytest.raises(
        UsageError, match="was trained on data of type blobs, which is not read from one file or folder"
    ):
        evaluate([open_run(Path("out"))], data=Path("n.csv"))


def test_examples_without_a_finite_answer(capsys: pytest.CaptureFixture[str]) -> None:
    net = "layers: [{type: dense, units: 3}, {type: dense, units: 1}]\ncost: mse\nschedule: {epochs: 1}\n"
    rows = "".join(f"{i / 10},{i / 10}\n" for i in range(10))
    Path("t.csv").write_text(f"x,y\n{rows}")
    train(
        f"data: {{type: csv, path: t.csv, target: y}}\n{net}",
        "out",
        "layers.0.initializer={type: constant, value: 100}",
    )
    Path("n.csv").write_text(f"x,y\n{rows}3e38,1\n")
    for command in (["predict", "out", "n.csv"], ["evaluate", "out", "--data", "n.csv"]):
        assert main(command) == 3
        said = capsys.readouterr().err
        assert "n.csv:12:1: error: the net's answer is" in said
        assert "3e38,1" in said
        assert "rate" not in said
