"""The frame of the command line, as a process: start-up, streams, exit codes."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest

import nnctl
from nnctl.cli import ahead
from nnctl.cli.app import COMMANDS
from nnctl.sweep.executors import nursery

HEAVY = ("numpy", "scipy", "pydantic", "llvmlite", "rich", "yaml", "PIL", "pooch")
# Typer takes words of a choice by pydantic.
CHOOSING = tuple(name for name in HEAVY if name != "pydantic")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "nnctl", *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("call", "absent"),
    [
        ("pass", HEAVY),
        ("import nnctl.cli", HEAVY),
        ("import nnctl.cli as c; c.main(['--help'])", HEAVY),
        ("import nnctl.cli as c; c.main(['--version'])", HEAVY),
        ("import nnctl.cli as c; c.main(['train', '--help'])", HEAVY),
        ("import nnctl.cli as c; c.main(['completion', 'bash'])", CHOOSING),
        ("import nnctl.cli as c; c.main(['complete', 'setting', 'layers.'])", ("numpy", "scipy", "rich")),
    ],
)
def test_nothing_heavy_is_imported(call: str, absent: tuple[str, ...]) -> None:
    program = f"import nnctl\n{call}\nimport sys; print(sorted(set({absent!r}) & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("command", "options", "absent"),
    [
        ("train", [], {"rich", "pydantic"}),
        ("sweep", ["--grid", "seed=1,2"], {"rich", "pydantic", "numpy"}),
    ],
    ids=["train", "sweep"],
)
def test_what_is_quiet_does_without_the_screen_and_pydantic(
    tmp_path, command: str, options: list[str], absent: set[str]
) -> None:
    spec = "data: {type: csv, path: data.csv, target: y}\nlayers: [{type: dense, units: 1}]\ncost: quadratic\n"
    (tmp_path / "data.csv").write_text("x,y\n" + "".join(f"{i},{i / 2}\n" for i in range(40)), encoding="utf-8")
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    arguments = [command, "spec.yaml", "--quiet", "--set", "backend=numpy", "--out", "run", *options]
    program = (
        "import nnctl.cli as c, sys\n"
        f"code = c.main({arguments})\n"
        f"print(code, sorted({absent} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.strip() == "0 []"


def test_who_hands_out_trials_does_without_what_trains_them(tmp_path) -> None:
    program = (
        "import nnctl.cli as c, sys; code = c.main(['sweep', 'nowhere.yaml'])\n"
        "print(code, sorted({'nnctl.graph', 'nnctl.engine', 'llvmlite'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == "2 []"


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"nnctl {nnctl.__version__}\n", "")


def test_help_lists_the_commands_in_our_order() -> None:
    done = run("--help")
    assert done.returncode == 0
    listed = done.stdout.partition("Commands:\n")[2].split("\n")
    assert tuple(line.split()[0] for line in listed if line.strip()) == COMMANDS
    assert run("-h").stdout == done.stdout


@cache
def commands_listed() -> str:
    return run("--help").stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_in_one_sentence(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: nnctl {command}")
    listed = next(line for line in commands_listed().split("\n") if line.startswith(f"  {command} "))
    assert not listed.endswith("...")


def test_unknown_command_is_a_usage_error() -> None:
    done = run("trian")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "train" in done.stderr


def test_unknown_option_is_a_usage_error() -> None:
    done = run("schema", "--pretty")
    assert done.returncode == 2
    assert "--pretty" in done.stderr


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ("sweep net.yaml -j 2", True),
        ("sweep show runs/a", False),
        ("sweep fetch s3://b/a here", False),
        ("train a", False),
    ],
)
def test_worker_processes_begin_ahead_for_what_trains_trials(
    line: str, begins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bool] = []
    monkeypatch.setattr(nursery, "begin", lambda *, copied: begun.append(copied))
    ahead.begin(line.split(), own=True)
    ahead.begin(line.split(), own=False)
    assert begun == ([True, False] if begins else [])
