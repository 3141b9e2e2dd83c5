"""Options of all commands: what has one name is one thing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nnctl.cli import main
from nnctl.cli.app import command
from nnctl.cli.former import FORMER

SPEC = Path(__file__).parents[2] / "specs" / "xor.yaml"
SHARED = ("--set", "--checkpoint", "--columns", "--example", "--force", "--limit", "--quiet")


def options(tree: Any = None, path: str = "nnctl") -> Iterator[tuple[str, Any]]:
    """(command, option) of each option of each command."""
    tree = tree or command()
    for parameter in tree.params:
        if parameter.param_type_name == "option":
            yield path, parameter
    for name, branch in getattr(tree, "commands", {}).items():
        yield from options(branch, f"{path} {name}")


def test_a_short_form_is_of_one_option_everywhere() -> None:
    names = defaultdict(set)
    for _, option in options():
        long = next(name for name in option.opts if name.startswith("--"))
        for short in set(option.opts) - {long}:
            names[short].add(long)
    assert {short: sorted(longs) for short, longs in names.items() if len(longs) > 1} == {}
    assert names["-q"] == {"--quiet"}


def test_a_file_that_is_written_has_the_short_form() -> None:
    files = {path: option for path, option in options() if "--out" in option.opts and option.metavar == "FILE"}
    assert len(files) > 5
    assert [path for path, option in files.items() if "-o" not in option.opts] == []


def test_a_name_takes_a_value_everywhere_or_nowhere_and_of_one_kind() -> None:
    kinds = defaultdict(set)
    for _, option in options():
        # Fixed words are a choice, whatever they are; addresses stand where paths do.
        choice = "WORD" if option.metavar and option.metavar.islower() else option.metavar
        kinds[option.opts[0]].add(choice and choice.removesuffix("|URL").replace("DIR", "FILE"))
    assert {name: kind for name, kind in kinds.items() if len(kind) > 1} == {}


@pytest.mark.parametrize(
    ("command", "former", "present"),
    [(words, former, present) for words, names in FORMER.items() for former, present in names.items()],
)
def test_a_former_name_leads_to_the_present_one(
    command: tuple[str, ...], former: str, present: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = " ".join(("nnctl", *command))
    taken = {name for where, option in options() if where == path for name in option.opts}
    assert former not in taken
    assert taken.issuperset(re.findall(r"--[a-z-]+", present.replace("--sample ", "")))
    for words in ([former], [f"{former}=3"]):
        assert main([*command, "somewhere", *words]) == 2
        assert capsys.readouterr().err == f"nnctl: {former}: {path} has no such option\n  it is now {present}\n"


@pytest.mark.parametrize("name", SHARED)
def test_what_several_commands_take_reads_the_same(name: str) -> None:
    found = {(option.help, option.metavar, tuple(option.opts)) for _, option in options() if name in option.opts}
    assert len(found) == 1, f"commands describe {name} in several ways: import it from nnctl.cli.options"


@pytest.mark.parametrize(
    ("words", "option", "noun", "expected"),
    [
        ("train SPEC", "--format", "format", "jsonl or csv"),
        ("runs", "--format", "format", "table, jsonl or csv"),
        ("trace SPEC", "--format", "format", "table, json, jsonl or html"),
        ("bench SPEC", "--step", "step", "train or evaluate"),
        ("inspect SPEC", "--step", "step", "train, evaluate or predict"),
        ("inspect SPEC", "--show", "stage", "summary, spec, graph, plan or code"),
        ("plot graph SPEC", "--step", "step", "train, evaluate or predict"),
        ("gradcheck SPEC", "--method", "method", "complex or central"),
        ("show runs/none", "--by", "axis", "epoch, step or seconds"),
    ],
)
def test_what_is_none_of_the_choices_is_refused_by_all_alike(
    words: str, option: str, noun: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything else is looked at."""
    assert main([*words.replace("SPEC", str(SPEC)).split(), option, "dance"]) == 2
    said = f"nnctl: {option} dance: there is no such {noun}\n  expected {expected}\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("inspect SPEC --backend numpy", "--backend: says nothing to --show summary\n  it is for --show plan or code"),
        ("inspect SPEC --show graph --batch 8", "--batch: says nothing to --show graph\n  it is for --show summary or"),
        ("inspect SPEC --show spec --batch 8", "--batch: says nothing to --show spec\n"),
        ("gradcheck SPEC --eps 1e-6", "--eps: says nothing to the complex step\n  it is for --method central"),
        ("gradcheck SPEC --method complex --eps 1e-6", "--eps: says nothing to the complex step"),
        ("gradcheck SPEC --curve --eps 1e-6", "--eps: says nothing to --curve\n"),
        ("gradcheck SPEC --curve --method complex", "--method: says nothing to --curve\n"),
        ("gradcheck SPEC --curve --tolerance 1", "--tolerance: says nothing to --curve\n"),
        ("bench SPEC --backend numpy --threads 2", "--threads: says nothing to the backend numpy"),
        ("bench SPEC --backend numpy --retune", "--retune: says nothing to the backend numpy"),
        ("show runs/none --log", "--log: says nothing to the rows in a pipe\n  curves are drawn on a terminal"),
        ("show runs/none --by epoch", "--by: says nothing to the rows in a pipe"),
        ("report runs/none --out - --force", "--force: says nothing to --out -"),
        ("doctor --set seed=1", "--set: says nothing to the machine"),
        ("inspect SPEC --show plan --fused", "--fused: says nothing to --show plan\n  it is for --show graph"),
        ("inspect SPEC --show spec --step predict", "--step predict: says nothing to --show spec"),
        ("plot graph SPEC --step predict", "--step predict: says nothing to the layers\n  --whole draws"),
        ("trace SPEC --force", "--force lets --out FILE overwrite a file, and there is no --out"),
        ("predict runs/none --force", "--force lets --out FILE overwrite a file, and there is no --out"),
        ("init table.csv --force", "--force lets --out FILE overwrite a file, and there is no --out"),
        ("sweep show runs/none --csv - --limit 3", "--limit: says nothing to --csv -\n  they are of the ranking"),
        ("sweep show runs/none --csv - --format csv", "--format: says nothing to --csv -\n  they are of the ranking"),
        ("predict runs/none --sample 3 --top-k 2", "--top-k: says nothing to --sample\n  it goes with --gibbs-steps, "),
        ("predict runs/none x.csv --gibbs-steps 2", "--gibbs-steps: says nothing to answers to INPUT"),
        ("sweep show runs/none --force", "--force lets --csv FILE overwrite a file, and there is no --csv"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.replace("SPEC", str(SPEC)).split()) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert error.startswith(f"nnctl: {said}")
