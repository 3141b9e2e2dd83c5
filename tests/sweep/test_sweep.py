"""`nnctl sweep` as a process."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from witness import Witness

SPEC = """\
name: blobs
data: {type: blobs, examples: 60, centers: 2, validation: 20}
layers: [{type: dense, units: 2, activation: softmax}]
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.05}
schedule: {epochs: 2, batch_size: 10}
backend: numpy
"""
LONG = ("--set", "data.examples=20000", "--set", "schedule.epochs=100000", "--set", "schedule.batch_size=1")


@pytest.fixture
def witness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witness]:
    made = Witness(tmp_path_factory.mktemp("witness") / "hearing")
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.yaml").write_text(SPEC)
    return tmp_path


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "nnctl", "sweep", "net.yaml", *options]


def sweep(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*options), cwd=folder, capture_output=True, text=True, check=False)


def rows(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def without_time(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in ("seconds", "folder")}


@pytest.mark.compile
def test_results_do_not_depend_on_the_number_of_processes(folder: Path) -> None:
    # Processes side by side have fewer threads each.
    options = ("--set", "backend=cpu", "--grid", "optimizer.learning_rate=0.01,0.1,0.5", "--seeds", "2")
    one = sweep(folder, *options, "-j", "1", "--out", "one")
    three = sweep(folder, *options, "-j", "3", "--out", "three")
    assert one.returncode == three.returncode == 0
    assert [row["trial"] for row in rows(one)] == [0, 1, 2, 3, 4, 5]
    assert [without_time(row) for row in rows(one)] == [without_time(row) for row in rows(three)]
    for number in range(6):
        weights = [folder / name / f"{number:04d}" / "checkpoints" / "last.safetensors" for name in ("one", "three")]
        assert weights[0].read_bytes() == weights[1].read_bytes()


def test_the_same_line_again_trains_nothing_and_prints_the_same(folder: Path) -> None:
    options = ("--grid", "optimizer.learning_rate=0.01,0.1")
    first = sweep(folder, *options)
    trained = sorted((folder / "runs").rglob("last.safetensors"))
    times = [path.stat().st_mtime_ns for path in trained]
    again = sweep(folder, *options)
    assert len(trained) == 2
    assert again.stdout == first.stdout
    assert [path.stat().st_mtime_ns for path in trained] == times


def test_more_draws_go_on_in_the_same_folder(folder: Path) -> None:
    options = ("--space", "optimizer.learning_rate=1e-3:1:log")
    few = rows(sweep(folder, *options, "--trials", "2"))
    more = rows(sweep(folder, *options, "--trials", "3"))
    assert more[:2] == few
    assert len(more) == 3


def test_another_question_has_another_folder(folder: Path) -> None:
    one = rows(sweep(folder, "--grid", "optimizer.learning_rate=0.01"))
    other = rows(sweep(folder, "--grid", "optimizer.learning_rate=0.01", "--set", "schedule.epochs=3"))
    assert Path(one[0]["folder"]).parent != Path(other[0]["folder"]).parent
    mixed = sweep(folder, "--grid", "optimizer.learning_rate=0.02", "--out", str(Path(one[0]["folder"]).parent))
    assert mixed.returncode == 2
    assert "holds another sweep" in mixed.stderr


def test_a_file_in_the_way_is_no_defect(folder: Path) -> None:
    (folder / "file").write_text("x")
    for out, words in (("file", "file: is in the way: it is a file"), ("file/below", "cannot make this folder")):
        done = sweep(folder, "--grid", "optimizer.learning_rate=0.01", "--out", out)
        assert done.returncode == 2
        assert words in done.stderr


def test_a_diverged_trial_is_reported_and_ends_nothing(folder: Path) -> None:
    done = sweep(folder, "--set", "layers.0.activation=linear", "--set", "cost=quadratic",
                 "--grid", "optimizer.learning_rate=1e30,0.001")  # fmt: skip
    found = rows(done)
    assert done.returncode == 0
    assert [row["status"] for row in found] == ["diverged", "finished"]
    assert "finite" in found[0]["error"]
    assert "trial 0 (optimizer.learning_rate=1e+30, seed=0) diverged" in done.stderr


def test_what_has_diverged_is_not_trained_again(folder: Path) -> None:
    line = ("--set", "layers.0.activation=linear", "--set", "cost=quadratic",
            "--grid", "optimizer.learning_rate=1e30", "--out", "found")  # fmt: skip
    done = sweep(folder, *line)
    shutil.rmtree(folder / "found/0000")
    again = sweep(folder, *line)
    assert (again.returncode, again.stdout, again.stderr) == (done.returncode, done.stdout, done.stderr)
    assert not (folder / "found/0000").exists()


def test_where_every_trial_diverges_the_exit_code_says_so(folder: Path) -> None:
    done = sweep(folder, "--set", "layers.0.activation=linear", "--set", "cost=quadratic",
                 "--grid", "optimizer.learning_rate=1e30")  # fmt: skip
    assert done.returncode == 4


def test_bad_paths_are_refused_before_anything_trains(folder: Path) -> None:
    done = sweep(folder, "--grid", "optimizer.learning_rat=0.1,1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "did you mean 'learning_rate'?" in done.stderr
    assert not (folder / "runs").exists()


def test_nothing_to_sweep(folder: Path) -> None:
    done = sweep(folder)
    assert done.returncode == 2
    assert done.stderr.startswith("nnctl: nothing to sweep\n")


def test_the_section_of_the_spec_and_the_ranking(folder: Path) -> None:
    (folder / "net.yaml").write_text(
        SPEC + "sweep: {grid: {optimizer.learning_rate: [1e-6, 0.1]}, monitor: validation_cost}\n"
    )
    done = sweep(folder, "--out", "found")
    assert [row["monitor"] for row in rows(done)] == ["validation_cost"] * 2
    results = json.loads((folder / "found" / "results.json").read_text())
    assert results["objectives"] == [{"column": "validation_cost", "higher_is_better": False}]
    assert results["ranking"][0]["settings"] == {"optimizer.learning_rate": 0.1}


def test_a_reader_that_goes_away_ends_the_sweep_quietly(folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" 2>error | head -n 1 >row', "bash",
         *command("--grid", "seed=1,2,3,4,5,6", "--set", "schedule.epochs=20")],
        cwd=folder, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 141)
    assert json.loads((folder / "row").read_text())["trial"] == 0
    assert "Traceback" not in (folder / "error").read_text()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_every_trial_and_leaves_no_process(
    folder: Path, witness: Witness, number: int, code: int
) -> None:
    psutil = pytest.importorskip("psutil")
    # A group of its own: Ctrl-C goes to all its processes at once.
    with subprocess.Popen(
        command("--grid", "seed=1,2,3", "-j", "2", "--out", "found", *LONG),
        cwd=folder, env=witness.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        witness.wait_for("0000", "0001")
        workers = psutil.Process(process.pid).children(recursive=True)
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        out, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert out == ""
    assert "stopped with 0 of 3 trials" in said
    assert "Traceback" not in said
    # The tracker of multiprocessing's resources ends a moment after its parent.
    assert psutil.wait_procs(workers, timeout=10)[1] == []
    for name in ("0000", "0001"):
        assert (folder / "found" / name / "checkpoints" / "last.safetensors").exists()
    assert not (folder / "found" / "0002").exists()


def test_a_trial_whose_worker_is_killed_goes_on_in_another(folder: Path, witness: Witness) -> None:
    psutil = pytest.importorskip("psutil")
    line = command("--grid", "schedule.epochs=20,1", "--out", "found", *LONG[:2])
    with subprocess.Popen(
        line, cwd=folder, env=witness.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        witness.wait_for("0000")
        for child in psutil.Process(process.pid).children():
            if any("spawn_main" in word for word in child.cmdline()):
                child.kill()
        out, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    alone = sweep(folder, "--grid", "schedule.epochs=20,1", *LONG[:2], "--out", "alone")
    assert [without_time(json.loads(row)) for row in out.splitlines()] == [without_time(row) for row in rows(alone)]
    weights = [folder / name / "0000" / "checkpoints" / "last.safetensors" for name in ("found", "alone")]
    assert weights[0].read_bytes() == weights[1].read_bytes()
