"""Specs as commands are given them: files, the specs of runs, stdin."""

from __future__ import annotations

import io
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nnctl.cli import main
from nnctl.errors import RunError, SpecError
from nnctl.training.specs import names_spec, open_spec

SPEC = """\
data: {type: npz, path: examples.npz, validation: 4}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
backend: numpy
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A run whose data lie beside its spec, in another folder than the run's and the working one."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "elsewhere").mkdir()
    inputs = np.arange(48, dtype=np.float32).reshape(24, 2)
    np.savez(tmp_path / "specs" / "examples.npz", inputs=inputs, targets=np.arange(24) % 2)
    (tmp_path / "specs" / "net.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "specs/net.yaml", "--quiet"]) == 0
    monkeypatch.chdir(tmp_path / "elsewhere")
    capsys.readouterr()
    return tmp_path / "runs" / "net" / "001"


def last(text: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(text.splitlines()[-1])
    return {key: value for key, value in row.items() if key != "seconds"}


def test_a_runs_spec_trains_again_from_anywhere(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(run / "spec.yaml"), "--quiet", "--out", "again"]) == 0
    assert last(capsys.readouterr().out) == last((run / "metrics.jsonl").read_text())
    assert Path("again/spec.yaml").read_bytes() == (run / "spec.yaml").read_bytes()
    # And that run's spec once more: where paths start from is handed on.
    assert main(["train", "again/spec.yaml", "--quiet", "--out", "third"]) == 0


def test_a_runs_spec_resumes_its_run(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", str(run / "spec.yaml"), "--resume", "--out", str(run), "--epochs", "2", "--quiet"]
    assert main(arguments) == 0
    assert last(capsys.readouterr().out)["epoch"] == 2


@pytest.mark.parametrize(
    "command", ["inspect", "explain", "gradcheck", "bench --backend numpy --steps 1", "doctor", "data show"]
)
@pytest.mark.parametrize("given", ["001", "001/spec.yaml", "."])
def test_every_command_reads_a_run(run: Path, capsys: pytest.CaptureFixture[str], command: str, given: str) -> None:
    name, *rest = command.split(" -")
    options = [word for option in rest for word in f"-{option}".split()]
    assert main([*name.split(), str(run.parent / given), *options]) == 0
    assert capsys.readouterr().out


def test_train_asks_whether_a_run_is_to_go_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(run)]) == 2
    message = capsys.readouterr().err
    assert f"SPEC --resume --out {run} goes on with it" in message
    assert f"{run / 'spec.yaml'} as SPEC trains a new one" in message


def test_a_copy_of_a_runs_spec_is_an_ordinary_spec(run: Path) -> None:
    shutil.copy(run / "spec.yaml", "spec.yaml")
    assert open_spec(Path("spec.yaml")).folder == Path()


def test_an_origin_that_says_nothing_is_an_error(run: Path) -> None:
    (run / "origin.json").write_text('{"folder": 3}')
    with pytest.raises(RunError, match=r"origin\.json: was written by an older version"):
        open_spec(run / "spec.yaml")


def test_a_runs_spec_that_was_edited_is_no_longer_the_runs_but_trains_anew(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = run / "spec.yaml"
    spec.write_text(spec.read_text().replace("seed: 0", "seed: 1"))
    assert main(["inspect", str(run)]) == 2
    assert "is not the spec that this run was trained with" in capsys.readouterr().err
    assert main(["train", str(spec), "--quiet", "--out", "again"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("given", ["run", "spec", "stdin"])
def test_a_sweep_is_of_a_run_or_of_stdin(
    run: Path, given: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parents[2] / "specs")
    give(monkeypatch, SPEC)
    spec = {"run": str(run), "spec": str(run / "spec.yaml"), "stdin": "-"}[given]
    assert main(["sweep", spec, "--seeds", "2", "--quiet", "--out", "sweep"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == ["finished", "finished"]


def test_a_folder_without_a_run_is_no_spec(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="is a folder"):
        open_spec(tmp_path)


# -- stdin ------------------------------------------------------------------------------


def give(monkeypatch: pytest.MonkeyPatch, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_train_reads_stdin_with_paths_from_here(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.parents[2] / "specs")
    give(monkeypatch, SPEC)
    assert main(["train", "-", "--quiet"]) == 0
    assert last(capsys.readouterr().out) == last((run / "metrics.jsonl").read_text())
    assert Path("runs/stdin/001/summary.json").is_file()
    assert main(["inspect", "runs/stdin"]) == 0


@pytest.mark.parametrize(
    "command", ["inspect", "explain", "gradcheck", "bench --backend numpy --steps 1", "doctor", "data show"]
)
def test_every_command_reads_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    give(monkeypatch, SPEC.replace("{type: npz, path: examples.npz, validation: 4}", "{type: blobs, centers: 2}"))
    name, *rest = command.split(" -")
    assert main([*name.split(), "-", *(word for option in rest for word in f"-{option}".split())]) == 0
    assert capsys.readouterr().out


def test_errors_point_into_stdin(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    give(monkeypatch, SPEC.replace("softmax", "softmx"))
    assert main(["train", "-"]) == 2
    assert "<stdin>:2:46: error: there is no activation 'softmx'" in capsys.readouterr().err


def test_stdin_that_is_no_text_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    give(monkeypatch, b"data: \xff")
    with pytest.raises(SpecError, match="<stdin>:1:7: error: byte 0xff is not UTF-8 text"):
        open_spec(Path("-"))


# -- specs and components -----------------------------------------------------------------


def test_what_is_called_like_a_path_is_a_spec(run: Path) -> None:
    assert all(
        map(names_spec, ["-", "lstm.yaml", "lstm.YML", "specs/lstm", "./lstm", str(run), str(run / "spec.yaml")])
    )
    assert not any(map(names_spec, ["lstm", "layer.lstm", "", "yaml"]))


def test_stdin_is_read_no_further_than_a_spec_is_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Endless(io.RawIOBase):
        given = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            self.given += len(buffer)
            assert self.given < 1 << 24
            return len(buffer)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Endless())))
    assert main(["inspect", "-"]) == 2
    assert "<stdin> is longer than" in capsys.readouterr().err


def test_a_folder_of_runs_is_no_spec_and_the_runs_in_it_are_named(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parents[2])
    for folder in ("runs", "."):
        with pytest.raises(
            SpecError, match=r"is a folder\n  expected a YAML file or a run\n  did you mean one of runs/net\?"
        ):
            open_spec(Path(folder))
    with pytest.raises(SpecError, match=r"specs is a folder\n  expected a YAML file\n  in it: net.yaml"):
        open_spec(Path("specs"))
