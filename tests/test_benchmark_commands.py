"""The suites that time whole commands, neighbours and augmentations run, and their tables say what was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="benchmarks/ lies beside a checkout's tests, not beside an sdist's")

from benchmarks import augmented, command, commands, neighbours, starts, sweeps, tasks, together


def test_a_command_that_fails_is_an_error_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"ended with 2\n[\s\S]*missing\.yaml: no such file"):
        command.nnctl(tmp_path, "train", "missing.yaml")


def test_the_processor_time_of_children_counts(tmp_path: Path) -> None:
    work = "import time\nwhile time.process_time() < 0.2: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    assert command.run([sys.executable, "-c", nested], tmp_path).processor > 0.2


@pytest.mark.compile
@pytest.mark.slow
def test_starts_run_and_say_which_code_was_there(capsys: pytest.CaptureFixture[str]) -> None:
    starts.main(["--quick"])
    lines = capsys.readouterr().out.splitlines()
    assert "| start | version | after a dense net | again |" in lines
    table = [line.split(" | ") for line in lines if line.startswith("| ") and " | nnctl | " in line]
    assert [cells[0][2:] for cells in table] == ["dense, 30 hidden", starts.SWEEP, starts.PREDICT, starts.HELP]
    assert ["–" in cells[2] for cells in table] == [False, False, True, True]


def test_a_cold_start_has_none_of_the_code_that_the_last_left(tmp_path: Path) -> None:
    version = starts._Version("nnctl", command.ROOT, tmp_path)
    version.cache.mkdir()
    (version.cache / "one").touch()
    version.keep_cache("after one")
    (version.cache / "another").touch()
    version.restore("after one")
    assert [path.name for path in version.cache.iterdir()] == ["one"]
    version.restore(None)
    assert not version.cache.exists()


@pytest.mark.slow
def test_commands_do_the_work_of_scripts_in_other_libraries(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: library for name, library in commands.LIBRARIES.items() if name == "scikit-learn"}
    monkeypatch.setattr(commands, "LIBRARIES", few)
    commands.main(["--quick", "--backend", "numpy"])
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in table] == ["| command", "| MNIST, 1 epoch", "| 2 trials"]
    assert all(line.count("%") == line.count("(") > 0 for line in table[1:])


def test_tasks_are_the_same_for_everyone() -> None:
    training, search = tasks.short_tasks(2)
    assert training.arguments() == ("mnist.npz", "4", "1", "500", "0.001")
    assert "units: 4," in training.spec("numpy")
    assert "epochs: 1, batch_size: 500" in training.spec("numpy")
    assert search.arguments()[-3:] == ("[4]", "[0.01]", "2")
    assert {"layers.0.units=4", "optimizer.learning_rate=0.01", "2"} <= set(search.command("run"))
    assert search.accuracy([{"metrics": {"validation_accuracy": a}} for a in (0.5, 1.0)]) == 0.75


def test_the_fair_share_of_two_cores() -> None:
    assert [neighbours.fair_share(2, n) for n in range(4)] == pytest.approx([1.0, 4 / 3, 2.0, 2.4])
    assert neighbours.fair_share(1, 3) == 4.0


def test_neighbours_spin_and_end() -> None:
    psutil = pytest.importorskip("psutil")

    def spinning() -> int:
        return sum("while True: pass" in child.cmdline() for child in psutil.Process().children())

    with neighbours.busy(2):
        assert spinning() == 2
    assert spinning() == 0


def test_a_step_beside_others_is_held_against_its_fair_share() -> None:
    rows = [{"neighbours": n, "fair": fair, "step_s": {"nnctl": times}} for n, fair, times in
            ((0, 1.0, [1e-3, 9e-3, 1e-3]), (2, 2.0, [3e-3, 3e-3, 8e-3]))]  # fmt: skip
    assert neighbours.lines_of(rows)[2:] == ["| 0 | 1.00 | 1 | 1.00 | 1.00 |", "| 2 | 2.00 | 3 | 3.00 | 1.50 |"]


@pytest.mark.compile
@pytest.mark.slow
def test_a_step_is_timed_beside_a_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    neighbours.main(["--quick", "--alone"])
    lines = capsys.readouterr().out.splitlines()
    assert "| busy processes | fair share | nnctl, ms | times quiet | over fair |" in lines
    assert [line[:11] for line in lines if line.endswith(" |")][1:] == ["| 0 | 1.00 ", "| 1 | 1.33 "]


@pytest.mark.compile
@pytest.mark.slow
def test_augmentations_are_timed_beside_an_epoch_without(capsys: pytest.CaptureFixture[str]) -> None:
    augmented.main(["--quick"])
    table = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [cells[0] for cells in table] == ["| augmentation", *(f"| {name}" for name in augmented.AUGMENTATIONS)]
    assert (table[1][2], table[1][4]) == ("1.00", "1.00 |")


def test_what_augmentations_cost_too_much_stands_in_bold() -> None:
    rows = [{"augment": name, "wall_s": [2e-6, 1e-6 * f], "processor_s": [1e-6]} for name, f in (("a", 1), ("b", 1.2))]
    assert augmented.lines_of(rows)[2:] == ["| a | 1 | 1.00 | 1 | 1.00 |", "| b | 1.2 | **1.20** | 1 | 1.00 |"]


@pytest.mark.slow
def test_trials_together_are_those_of_a_process_each(capsys: pytest.CaptureFixture[str]) -> None:
    together.main(["--quick", "--backend", "numpy"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " at a time" in line]
    assert rows[0][0].endswith("a process each")
    assert all(float(cells[1]) > 0 for cells in rows)
    assert [way.words for way in together.ways_of("cuda")[1:3]] == [
        "8 at a time, a process each",
        "8 at a time, in 1 process",
    ]


@pytest.mark.compile
@pytest.mark.slow
def test_sweeps_are_trained_gone_on_with_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    sweeps.main(["--quick"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if " trials " in line]
    assert [cells[0] for cells in rows] == [
        "| 2 trials of XOR, trained",
        "| 3 trials of XOR, trained",
        "| 3 trials trained before, gone on with",
        "| 3 trials trained before, shown",
    ]
    assert all(float(cells[1]) > 0 for cells in rows)
