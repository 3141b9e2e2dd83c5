"""The completion scripts: current, and working in the shells themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nnctl.cli.app import COMMANDS
from nnctl.cli.completion.command import Shell, describe, script
from nnctl.cli.completion.tree import DYNAMIC, Kind

pytestmark = pytest.mark.slow  # it starts shells

FOLDER = Path(__file__).parents[2] / "completions"
FILES = {Shell.BASH: "nnctl.bash", Shell.ZSH: "_nnctl", Shell.FISH: "nnctl.fish"}

SPEC = """\
data: {type: digits}
layers:
  - flatten
  - {type: dense, units: 10, activation: softmax, name: out}
cost: log_likelihood
"""


@pytest.mark.parametrize("shell", Shell)
def test_the_scripts_in_the_repository_are_current(shell: Shell) -> None:
    path = FOLDER / FILES[shell]
    assert path.read_text() == script(shell), f"make it anew: nnctl completion {shell} > completions/{path.name}"


def test_every_command_is_described() -> None:
    assert tuple(command.path[0] for command in describe().commands) == COMMANDS


def test_every_option_with_a_dynamic_kind_of_value_is_one_that_complete_knows() -> None:
    kinds = {option.value.kind for command in describe().walk() for option in command.options}
    assert Kind.SETTING in kinds
    assert set(DYNAMIC) <= set(Kind)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A working folder with one spec, another file and a folder."""
    (tmp_path / "net.yaml").write_text(SPEC)
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "specs").mkdir()
    return tmp_path


def environment() -> dict[str, str]:
    """Where `nnctl` is the one of this interpreter, and no start-up file of the user's is read."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TERM": "dumb"}


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    if shutil.which("nnctl", path=environment()["PATH"]) is None:
        pytest.skip("nnctl is not on the path")
    return found


def complete_in_bash(line: str, folder: Path) -> set[str]:
    program = f"""
source {FOLDER / "nnctl.bash"}
COMP_LINE=$1 COMP_POINT=${{#1}} COMP_WORDS=(nnctl)
_nnctl
(( ${{#COMPREPLY[@]}} )) && printf '%s\\n' "${{COMPREPLY[@]}}"
exit 0
"""
    done = subprocess.run(
        [need("bash"), "--norc", "-c", program, "bash", line],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    # readline joins what follows the last word break to what stands before it.
    word = line.rsplit(" ", 1)[-1]
    before = word[: word.rfind("=") + 1]
    return {before + found for found in done.stdout.split("\n") if found}


def complete_in_fish(line: str, folder: Path) -> set[str]:
    done = subprocess.run(
        [need("fish"), "--no-config", "-c", f"source {FOLDER / 'nnctl.fish'}; complete -C $argv[1]", line],
        cwd=folder,
        env=environment() | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return {found.split("\t")[0] for found in done.stdout.split("\n") if found}


ZSH_SETTINGS = r"""
PROMPT=
autoload -Uz compinit; compinit -D -u
bindkey '^I' complete-word
zstyle ':completion:*' insert-tab false
# Every candidate goes through compadd; the calls that only sort or filter them do not count.
compadd() {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return $?; fi
    local -a hits
    builtin compadd -A hits "$@"
    local hit
    for hit in $hits; do print -r -- "HIT:$IPREFIX$hit:"; done
    builtin compadd "$@"
}
comppostfuncs=(exit)
"""


def complete_in_zsh(line: str, folder: Path) -> set[str]:
    """Press TAB in an interactive zsh whose `compadd` tells what it is given."""
    pexpect = pytest.importorskip("pexpect")
    (folder / ".settings").write_text(f"{ZSH_SETTINGS}\nsource {FOLDER / '_nnctl'}\nprint REA''DY\n")
    variables = environment() | {"HOME": str(folder)}
    with pexpect.spawn(
        need("zsh"), ["-f", "-i"], cwd=folder, env=variables, encoding="utf-8", timeout=60, dimensions=(50, 200)
    ) as shell:
        shell.sendline("source .settings")
        shell.expect("READY")
        shell.send(f"{line}\t")
        shell.expect(pexpect.EOF)
        return set(re.findall(r"HIT:(.*?):\r?\n", shell.before))


complete_in = pytest.mark.parametrize(
    "complete", [complete_in_bash, complete_in_zsh, complete_in_fish], ids=["bash", "zsh", "fish"]
)


@complete_in
def test_commands(complete, folder: Path) -> None:
    assert complete("nnctl sch", folder) == {"schema"}
    assert complete("nnctl ", folder) >= {"train", "schema", "completion"}


@complete_in
def test_options(complete, folder: Path) -> None:
    assert complete("nnctl train --se", folder) >= {"--set", "--seed"}


@complete_in
def test_fixed_words(complete, folder: Path) -> None:
    assert complete("nnctl completion ", folder) == {"bash", "zsh", "fish"}


@complete_in
def test_spec_files(complete, folder: Path) -> None:
    found = {name.rstrip("/") for name in complete("nnctl train ", folder)}
    assert found == {"net.yaml", "specs"}


@complete_in
def test_setting_follows_the_spec_of_the_line(complete, folder: Path) -> None:
    assert complete("nnctl train net.yaml --set layers.1.un", folder) == {"layers.1.units="}


@complete_in
def test_setting_without_a_spec(complete, folder: Path) -> None:
    assert "optimizer.learning_rate=" in complete("nnctl train --set optimizer.le", folder)


@complete_in
def test_values_of_a_setting(complete, folder: Path) -> None:
    assert complete("nnctl train net.yaml --set cost=cross", folder) == {"cost=cross_entropy"}


@complete_in
def test_setting_in_the_same_word(complete, folder: Path) -> None:
    found = complete("nnctl train net.yaml --set=schedule.ep", folder)
    assert {name.removeprefix("--set=") for name in found} == {"schedule.epochs="}


@complete_in
def test_backends(complete, folder: Path) -> None:
    assert "numpy" in complete("nnctl train net.yaml --backend n", folder)
