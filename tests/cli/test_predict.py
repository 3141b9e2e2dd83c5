"""`nnctl predict` as a process: what it imports, streams, formats, and files that it never overwrites unasked."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnctl.cli import main
from nnctl.inference import prediction
from nnctl.inference.answers import Answers, csv_lines
from nnctl.inference.opened import read_run
from nnctl.spec.load import load_text
from nnctl.training import session

POINTS = """
data: {type: blobs, examples: 60, validation: 12, seed: 0}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
backend: numpy
"""
DIGITS = """
data: {type: digits, subset: 100}
layers: [flatten, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
backend: numpy
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of points and of digits; only copies of them are used."""
    folder = tmp_path_factory.mktemp("trained")
    for name, text in (("points", POINTS), ("digits", DIGITS)):
        for _ in session.train(load_text(text, f"{name}.yaml"), out=folder / name):
            pass
    return folder


@pytest.fixture(autouse=True)
def _runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(trained, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def process(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nnctl", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_one_row_imports_nothing_that_it_does_not_need() -> None:
    Path("x.csv").write_text("1,2\n")
    program = (
        "import nnctl.cli, sys\n"
        "code = nnctl.cli.main(['predict', 'points', 'x.csv'])\n"
        "heavy = {'llvmlite', 'scipy', 'PIL', 'rich', 'pooch', 'requests', 'psutil', 'multiprocessing'}\n"
        "print(code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == "0 []\n"
    assert json.loads(done.stdout)["index"] == 0


def test_little_work_is_the_reference_s(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = read_run(Path("points"))
    started: list[str | None] = []
    start = type(saved).start
    monkeypatch.setattr(type(saved), "start", lambda run, backend=None: started.append(backend) or start(run, backend))
    np.save("few.npy", np.ones((3, 2)))
    np.save("many.npy", np.ones((16_001, 2)))
    list(prediction.answer(saved, [Path("few.npy")]))
    assert started == ["numpy"]
    parts = prediction.answer(saved, [Path("many.npy")])
    assert [index for part in parts for index in part.places["index"]] == list(range(16_001))
    assert started == ["numpy", "numpy", None]


@pytest.mark.slow
@pytest.mark.compile
def test_the_reference_answers_as_the_run_s_backend_does() -> None:
    text = DIGITS.replace("backend: numpy", "").replace("flatten", "{type: conv2d, filters: 4, kernel: 3}, flatten")
    for _ in session.train(load_text(text, "c.yaml"), out=Path("compiled")):
        pass
    np.save("x.npy", np.random.default_rng(0).integers(0, 17, (5, 8, 8, 1)))
    saved = read_run(Path("compiled"))
    (few,) = prediction.answer(saved, [Path("x.npy")])
    its_own = list(prediction.predict(saved.start(), [Path("x.npy")]))
    assert saved.start().engine.backend_name != "numpy"
    for one, other in zip(few.rows(), its_own, strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def test_a_folder_of_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("mine/b.png", "mine/a.png", "classes/one/x.png", "classes/two/y.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8)).save(name)
    (Path("mine") / "notes.txt").write_text("not a picture")
    assert main(["predict", "digits", "mine", "classes"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(r["input"], r["index"]) for r in rows] == [
        (name, 0) for name in ("mine/a.png", "mine/b.png", "classes/one/x.png", "classes/two/y.png")
    ]
    Path("none").mkdir()
    assert main(["predict", "digits", "none"]) == 3
    Image.new("LA", (8, 8)).save("clear.png")
    assert main(["predict", "digits", "clear.png"]) == 3
    assert "clear.png is transparent in places" in capsys.readouterr().err
    assert main(["predict", "points", "mine"]) == 3
    assert "is an image, and the net reads examples of shape (2,)" in capsys.readouterr().err


def test_csv_of_probabilities_of_the_largest_and_of_values(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text("a,b\n1,2\n3,4\n")
    assert main(["predict", "points", "x.csv", "--format", "csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    names = ["input", "index", "prediction", "probability", "probability.0", "probability.1", "probability.2"]
    assert list(rows[0]) == names
    assert [r["index"] for r in rows] == ["0", "1"]
    assert float(rows[0][f"probability.{rows[0]['prediction']}"]) == float(rows[0]["probability"])
    assert main(["predict", "points", "x.csv", "--format", "csv", "--top-k", "2"]) == 0
    (row, _) = csv.DictReader(capsys.readouterr().out.splitlines())
    assert list(row) == [*names[:4], "class.1", "probability.1", "class.2", "probability.2"]
    assert row["class.1"] == row["prediction"]
    values = Answers({"input": ["x"], "index": [0]}, np.array([[[0.5], [1.0]]]))
    assert "".join(csv_lines(iter([values]))) == "input,index,value.0,value.1\nx,0,0.5,1.0\n"


def test_a_file_is_not_overwritten_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text("1,2\n")
    assert main(["predict", "points", "x.csv", "--out", "y.csv"]) == 0
    assert main(["predict", "points", "x.csv", "--out", "y.jsonl"]) == 0
    assert capsys.readouterr().out == ""
    assert Path("y.csv").read_text().startswith("input,index,prediction")
    assert json.loads(Path("y.jsonl").read_text())["input"] == "x.csv"
    Path("y.csv").write_text("precious")
    assert main(["predict", "points", "x.csv", "--out", "y.csv"]) == 2
    assert "--out y.csv: is there already; nothing is overwritten\n  --force overwrites it" in capsys.readouterr().err
    assert Path("y.csv").read_text() == "precious"
    assert main(["predict", "points", "x.csv", "--out", "y.csv", "--force"]) == 0
    assert Path("y.csv").read_text().startswith("input,index,prediction")
    Path("link.csv").symlink_to("elsewhere.csv")
    assert main(["predict", "points", "x.csv", "--out", "link.csv"]) == 2
    assert not Path("elsewhere.csv").exists()


def test_a_table_that_breaks_off_leaves_no_file() -> None:
    Path("x.csv").write_text("1,2\n" * 20_000 + "1,x\n")
    assert main(["predict", "points", "x.csv", "--out", "y.csv"]) == 3
    assert sorted(p.name for p in Path().iterdir()) == ["digits", "points", "x.csv"]


@pytest.mark.slow
def test_out_may_be_a_pipe() -> None:
    Path("x.csv").write_text("1,2\n")
    done = process("predict", "points", "x.csv", "--out", "/dev/stdout", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("input,index,prediction")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell the largest size of a process")
def test_a_hundred_thousand_rows_from_stdin_in_parts() -> None:
    rows = "".join(f"{i % 7},{i % 3}\n" for i in range(100_000))
    program = (
        "import nnctl.cli, re; from pathlib import Path\n"
        "code = nnctl.cli.main(['predict', 'points', '-', '--format', 'csv', '--out', 'y.csv'])\n"
        "print(code, *re.findall(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()))"
    )
    done = subprocess.run([sys.executable, "-c", program], input=rows, capture_output=True, text=True, check=True)
    code, size = map(int, done.stdout.split())
    assert code == 0
    # A tenth of what all rows at once would take beside the process itself.
    assert size < 200 << 10
    with Path("y.csv").open() as file:
        found = [(row["input"], int(row["index"])) for row in csv.DictReader(file)]
    assert found == [("-", i) for i in range(100_000)]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    for suffix in ("csv", "npy", "npz", "png"):
        os.mkfifo(f"x.{suffix}")
        assert main(["predict", "digits", f"x.{suffix}"]) == 3
        assert f"x.{suffix} is a named pipe, and a file is expected" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "\n\n", "a,b\n"])
def test_a_table_without_rows(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text(text)
    assert main(["predict", "points", "x.csv"]) == 3
    assert "has no row of numbers" in capsys.readouterr().err


def test_without_a_test_split_validation_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "points"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["split"] == "validation"
    assert printed.err == "there is no test split: measured on validation, by which training may have chosen\n"
    assert main(["evaluate", "points", "--split", "validation"]) == 0
    assert capsys.readouterr().err == ""
    assert main(["evaluate", "digits"]) == 0
    printed = capsys.readouterr()
    assert (json.loads(printed.out)["split"], printed.err) == ("test", "")


def test_the_training_set_is_measured_only_when_it_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    text = POINTS.replace("validation: 12, ", "")
    for _ in session.train(load_text(text, "t.yaml"), out=Path("alone")):
        pass
    assert main(["evaluate", "alone"]) == 2
    assert "there is neither a test split nor validation" in capsys.readouterr().err
    assert main(["evaluate", "alone", "--split", "train"]) == 0


@pytest.mark.parametrize("name", ["y.npy", "y.npz", "y.png"])
def test_a_file_has_no_name_of_what_it_is_not(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text("1,2\n")
    assert main(["predict", "points", "x.csv", "--out", name]) == 2
    assert "answers are JSON Lines or CSV" in capsys.readouterr().err
    assert not Path(name).exists()
