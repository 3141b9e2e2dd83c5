"""`nnctl evaluate` and `nnctl predict` as a user runs them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nnctl.backends.cuda.component import Cuda
from nnctl.backends.registry import reference_backend
from nnctl.cli import main
from nnctl.inference import prediction

TINY = """
name: tiny
data: {type: blobs, examples: 60, validation: 12, test: 12, seed: 0}
layers: [{type: dense, units: 3, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 2}
backend: numpy
"""


def nnctl(*arguments: str, stdin: str = "", folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "nnctl", *arguments]
    return subprocess.run(command, input=stdin, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two runs; only copies of it are used."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(TINY)
    for seed in ("1", "2"):
        assert nnctl("train", "tiny.yaml", "--seed", seed, folder=folder).returncode == 0
    return folder


@pytest.fixture(autouse=True)
def _runs(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(trained, tmp_path, symlinks=True, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
def test_one_line_a_run_and_the_ensemble() -> None:
    done = nnctl("evaluate", "runs/tiny/001", "runs/tiny/002", "--top-k", "2", "--confusion")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [r["run"] for r in rows] == ["runs/tiny/001", "runs/tiny/002", "vote", "mean"]
    assert all(sum(map(sum, r["confusion"])) == r["examples"] == 12 for r in rows)


def test_a_run_made_where_there_is_a_gpu_is_judged_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gpu.yaml").write_text(TINY.replace("backend: numpy", "backend: cuda"))
    monkeypatch.setattr(prediction, "LITTLE_WORK", 0)
    (tmp_path / "points.csv").write_text("0.5,1\n")
    with monkeypatch.context() as there:
        there.setattr(Cuda, "obstacle", lambda self: None)
        there.setattr(Cuda, "open", lambda self, workers=None: reference_backend())
        assert main(["train", "gpu.yaml", "--quiet", "--out", "run"]) == 0
    monkeypatch.setattr(Cuda, "obstacle", lambda self: "there is no NVIDIA driver on this machine")
    for command in (["evaluate", "run"], ["predict", "run", "points.csv"]):
        capsys.readouterr()
        assert main(command) == 2
        assert "--backend auto" in capsys.readouterr().err
        assert main([*command, "--backend", "numpy"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 1
        assert main([*command, "--backend", "gpu"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("--backend:1:9: error: there is no backend 'gpu'")
        assert "did you mean 'cuda'?" in said


@pytest.mark.slow
def test_a_terminal_gets_tables() -> None:
    pexpect = pytest.importorskip("pexpect")
    arguments = ["-m", "nnctl", "evaluate", "runs/tiny", "--confusion"]
    text, code = pexpect.run(f"{sys.executable} {' '.join(arguments)}", withexitstatus=True, encoding="utf-8")
    assert code == 0
    assert "test split, 12 examples" in text
    assert "rows are classes, columns answers" in text


@pytest.mark.slow
def test_predictions_for_a_table_on_stdin() -> None:
    done = nnctl("predict", "runs/tiny", "-", "--top-k", "1", stdin="1,2\n3,4\n")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["input"], r["index"], len(r["probabilities"])) for r in rows] == [("-", 0, 1), ("-", 1, 1)]


@pytest.mark.slow
def test_text_is_written_to_stdout() -> None:
    Path("a.txt").write_text("to be or not to be. " * 9)
    layers = "[one_hot, {type: gru, units: 4, return_sequence: true}, {type: dense, units: 8, activation: softmax}]"
    text = f"name: hamlet\ndata: {{type: text, path: a.txt, length: 5}}\nlayers: {layers}\ncost: log_likelihood\n"
    Path("hamlet.yaml").write_text(f"{text}schedule: {{epochs: 1}}\nbackend: numpy\n")
    assert nnctl("train", "hamlet.yaml").returncode == 0
    done = nnctl("predict", "runs/hamlet", "--generate", "30", "--prompt", "to be", "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("to be")
    assert len(done.stdout) == len("to be") + 30 + 1
    assert nnctl("predict", "runs/hamlet", "--generate", "30", "--prompt", "to be", "--seed", "1").stdout == done.stdout


@pytest.mark.slow
def test_a_confusion_of_values_is_none() -> None:
    text = "data: {type: sine, examples: 20, test: 5}\nlayers: [{type: dense, units: 1}]\ncost: mse\n"
    Path("sine.yaml").write_text(f"{text}schedule: {{epochs: 1}}\nbackend: numpy\n")
    assert nnctl("train", "sine.yaml").returncode == 0
    done = nnctl("evaluate", "runs/sine", "--confusion")
    assert done.returncode == 2
    assert "--confusion: this net predicts values, not classes" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("evaluate", "runs/none"), 2, "there is no such run"),
        (("evaluate", "runs/tiny", "--split", "tset"), 2, "it has train, validation, test"),
        (("predict", "runs/tiny", "none.csv"), 3, "none.csv cannot be read: No such file"),
        (("predict", "runs/tiny", "-", "--top-k", "9"), 2, "there are 3 classes"),
        (("predict", "runs/tiny"), 2, "give the files to predict"),
        (("predict", "runs/tiny", "none.doc"), 3, "there is no file none.doc"),
        (
            ("predict", "runs/tiny", "-", "--generate", "9"),
            2,
            "INPUT: says nothing to --generate\n  it goes with --temperature, ",
        ),
        (
            ("predict", "runs/tiny", "-", "--temperature", "1"),
            2,
            "--temperature: says nothing to answers to INPUT\n  it is for --sample N or --generate N",
        ),
        (("predict", "runs/tiny", "--sample", "9"), 2, "only nets with pretraining draw samples"),
        (
            ("predict", "runs/tiny", "-", "--forecast", "9"),
            2,
            "only nets trained on data of type series forecast",
        ),
        (("predict", "runs/tiny", "-", "--force"), 2, "--force lets --out FILE overwrite a file"),
        (("predict", "runs/tiny", "-", "--format", "cvs"), 2, "expected jsonl or csv"),
        (("predict", "runs/tiny", "tiny.yaml", "--out", "tiny.yaml"), 2, "is there already; nothing is overwritten"),
        (("predict", "runs/tiny", "tiny.yaml", "--out", "runs"), 2, "is a folder, and a file is expected"),
        (("predict", "runs/tiny", "tiny.yaml", "--out", "no/x.csv"), 2, "there is no folder no"),
        (("predict", "runs/tiny", "--generate", "9"), 2, "only nets trained on text generate text"),
    ],
)
def test_mistakes_have_their_exit_codes(
    arguments: tuple[str, ...], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    printed = capsys.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
