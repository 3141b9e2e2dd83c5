"""The completion scripts: current, and working in the shells themselves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nnctl.cli.app import COMMANDS, command
from nnctl.cli.completion.candidates import candidates
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


FREE = {"A,B", "A,B,C", "CLASS", "COLUMN", "COMPARISON", "EPS", "FIELD", "HEIGHTxWIDTH", "K", "N", "T", "TEXT", "X"}
"""Metavars of what nobody can complete: numbers, and names that a run has."""
NAMED = {"--from-study", "--on", "--sheet", "--target"}
"""Options whose value is a name that no kind of candidates knows."""


def test_what_no_shell_completes_is_nothing_that_it_could() -> None:
    """A metavar that `command.py` does not know is completed by nothing, without a word."""
    unknown = {
        (*command.path, name)
        for command in describe().walk()
        for option in command.options
        for name in option.names
        if option.value.kind is Kind.FREE and name.startswith("--") and name not in NAMED
    }
    tree = command()
    for path in sorted(unknown):
        found = tree
        for word in path[:-1]:
            found = found.commands[word]
        (metavar,) = {each.metavar for each in found.params if path[-1] in each.opts}
        assert metavar in FREE, f"{' '.join(path)} {metavar}"
    arguments = {
        (*command.path, argument.name)
        for command in describe().walk()
        for argument in command.arguments
        if argument.value.kind is Kind.FREE
    }
    assert arguments == {("sweep", "fetch", "url")}


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
    tree = os.environ.get("PYTHONPATH", "")
    return {"PATH": path, "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TERM": "dumb", "PYTHONPATH": tree}


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
def test_a_command_with_arguments_and_one_below_it(complete, folder: Path) -> None:
    assert {name.rstrip("/") for name in complete("nnctl sweep ", folder)} == {"fetch", "show", "net.yaml", "specs"}
    assert complete("nnctl sweep net.yaml --tr", folder) == {"--trials"}
    assert {name.rstrip("/") for name in complete("nnctl sweep show s", folder)} == {"specs"}
    assert complete("nnctl sweep show specs --f", folder) == {"--force", "--format"}
    assert complete("nnctl sweep show specs --format ", folder) == {"table", "jsonl", "csv"}


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


@complete_in
def test_the_second_argument_of_predict_is_any_file(complete, folder: Path) -> None:
    assert {name.rstrip("/") for name in complete("nnctl predict specs ", folder)} == {"net.yaml", "notes.txt", "specs"}
    assert {name.rstrip("/") for name in complete("nnctl predict specs notes.txt n", folder)} == {
        "net.yaml",
        "notes.txt",
    }


@complete_in
def test_what_may_be_left_out_is_completed_too(complete, folder: Path) -> None:
    assert {name.rstrip("/") for name in complete("nnctl doctor n", folder)} == {"net.yaml"}


@complete_in
def test_data_to_show_are_specs_and_sources(complete, folder: Path) -> None:
    assert complete("nnctl data show n", folder) >= {"net.yaml", "narma", "npz"}


@complete_in
def test_explain_takes_specs_components_and_kinds(complete, folder: Path) -> None:
    assert complete("nnctl explain ne", folder) >= {"net.yaml", "newton"}
    assert "optimizer" in complete("nnctl explain --list opt", folder)


@complete_in
def test_paths_to_what_is_explained(complete, folder: Path) -> None:
    assert complete("nnctl explain net.yaml --under layers.1.un", folder) == {"layers.1.units"}


@complete_in
def test_splits_and_augmentations(complete, folder: Path) -> None:
    assert complete("nnctl evaluate specs --split ", folder) == {"train", "validation", "test"}
    assert complete("nnctl evaluate specs --with fl", folder) == {"flip"}


EVIL = [
    "a b",
    "b$(touch pwned)",
    "c`touch pwned`",
    "d'$(touch pwned)'",
    'e"$(touch pwned)"',
    "f;touch pwned;",
    "g!touch",
    "h*?[x]",
    "i{b,c}",
    "j\\$(touch pwned)",
    "k数字 é",
]
"""Names that a shell would run, split or expand if they were not quoted, each with a first letter of its own."""

BASH_SETTINGS = """
PS1= ; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'
args() {{ printf '<%s>' "$@"; echo END; }}
source {scripts}/nnctl.bash
"""
TYPED_ZSH_SETTINGS = """
PROMPT= ; unsetopt zle_bracketed_paste beep 2>/dev/null; unset zle_bracketed_paste
autoload -Uz compinit; compinit -D -u; bindkey -e; bindkey '^I' complete-word
args() {{ printf '<%s>' "$@"; echo END; }}
source {scripts}/_nnctl
"""
FISH_SETTINGS = """
function fish_prompt; end
function fish_greeting; end
function args; printf '<%s>' $argv; echo END; end
source {scripts}/nnctl.fish
"""
SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], ".settings", BASH_SETTINGS),
    "zsh": (["-f", "-i"], ".settings", TYPED_ZSH_SETTINGS),
    "fish": (["--no-config", "-i"], ".settings", FISH_SETTINGS),
}


def typed(
    shell: str, lines: Sequence[str], folder: Path, closing: Sequence[str], instead: Path | None = None
) -> list[list[str]]:
    """The words of each line after a TAB at its end, as an interactive shell hands them to a command.

    closing: what is typed after the TAB, such as the end of a quote that the shell leaves open.
    instead: a folder with another `nnctl`.
    """
    pexpect = pytest.importorskip("pexpect")
    options, name, settings = SHELLS[shell]
    (folder / name).write_text(settings.format(scripts=FOLDER))
    variables = environment() | {"HOME": str(folder)}
    if instead is not None:
        variables["PATH"] = f"{instead}{os.pathsep}{variables['PATH']}"
    found = []
    with pexpect.spawn(
        need(shell), options, cwd=folder, env=variables, encoding="utf-8", timeout=30, dimensions=(50, 400)
    ) as process:
        process.sendline(f"source {name}; echo REA''DY")
        process.expect("READY\\r?\\n")
        for line, end in zip(lines, closing, strict=True):
            process.send(f"{line}\t{end}\x01args \r")
            process.expect("((?:<[^\\r\\n]*>)?)END\\r?\\n")
            found.append([word.strip() for word in re.findall("<(.*?)>(?=<|$)", process.match[1])])
    return found


in_shells = pytest.mark.parametrize("shell", list(SHELLS))
quotes = pytest.mark.parametrize("quote", ["", "'", '"'], ids=["plain", "in-single", "in-double"])


ANSWERING = """\
#!/bin/sh
for prefix; do :; done
while IFS= read -r line; do
    case $line in "$prefix"*) printf '%s\\n' "$line" ;; esac
done < {answers}
"""
"""An `nnctl` whose candidates are there already: for one name after the other Python need not start."""


@pytest.fixture
def answering(tmp_path: Path) -> Path:
    """A folder with a spec of hostile names, and in the folder `bin` an `nnctl` that has asked it for candidates."""
    layers = json.dumps([{"type": "dense", "units": 3, "name": name} for name in EVIL])
    spec, program = tmp_path / "net.yaml", tmp_path / "bin" / "nnctl"
    spec.write_text(f"data: digits\nlayers: {layers}\n")
    asked = [found for name in EVIL for found in candidates(Kind.SETTING, f"layers[name={name[0]}", spec)]
    assert len(asked) == len(EVIL)
    (tmp_path / "answers").write_text("".join(f"{value}\t{words}\n" for value, words in asked))
    program.parent.mkdir()
    program.write_text(ANSWERING.format(answers=tmp_path / "answers"))
    program.chmod(0o755)
    return tmp_path


@in_shells
@quotes
def test_hostile_names_in_a_spec_stay_text(shell: str, quote: str, answering: Path) -> None:
    # Of a bare bracket zsh makes a subscript before it asks anybody.
    bracket = "\\[" if shell == "zsh" and not quote else "["
    lines = [f"nnctl train net.yaml --set {quote}layers{bracket}name={name[0]}" for name in EVIL]
    closing = ["" if shell == "bash" else quote] * len(EVIL)
    words = typed(shell, lines, answering, closing, instead=answering / "bin")
    assert words == [["nnctl", "train", "net.yaml", "--set", f"layers[name={name}]."] for name in EVIL]
    assert not (answering / "pwned").exists()


@in_shells
@quotes
def test_hostile_names_of_files_stay_text(shell: str, quote: str, tmp_path: Path) -> None:
    for name in EVIL:
        (tmp_path / f"{name}.yaml").write_text(SPEC)
    # Where it has left a quote and come back to it, zsh does not close it.
    closing = ["'" if shell == "zsh" and quote == "'" in name else "" for name in EVIL]
    words = typed(shell, [f"nnctl train {quote}{name[0]}" for name in EVIL], tmp_path, closing)
    assert words == [["nnctl", "train", f"{name}.yaml"] for name in EVIL]
    assert not (tmp_path / "pwned").exists()


@in_shells
def test_the_spec_of_the_line_may_have_blanks(shell: str, tmp_path: Path) -> None:
    (tmp_path / "a $(touch pwned) net.yaml").write_text(SPEC)
    specs = "'a $(touch pwned) net.yaml'", "a\\ \\$\\(touch\\ pwned\\)\\ net.yaml"
    lines = [f"nnctl train {spec} --set layers.1.un" for spec in specs]
    for words in typed(shell, lines, tmp_path, ["", ""]):
        assert words[2:] == ["a $(touch pwned) net.yaml", "--set", "layers.1.units="]
    assert not (tmp_path / "pwned").exists()


def test_a_name_with_control_characters_is_no_candidate(tmp_path: Path) -> None:
    evil = json.dumps([{"type": "dense", "name": name} for name in ("a\nb", "a\x1b]0;x\x07", "a\u202e", "ok")])
    (tmp_path / "net.yaml").write_text(f"layers: {evil}\n")
    found = [value for value, _ in candidates(Kind.SETTING, "layers[", tmp_path / "net.yaml")]
    assert found == ["layers[name=ok]."]
