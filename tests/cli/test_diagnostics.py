"""Errors on their way to the user: exit codes, prefix, colours, broken pipes."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from streams import Stream

from nnctl import errors
from nnctl.cli.diagnostics import colour, render, wants_colour


def end_with(statement: str) -> subprocess.CompletedProcess[str]:
    """A process whose `schema` command does `statement`."""
    program = f"""
import sys, nnctl.cli, nnctl.cli.schema, nnctl.errors as errors
def schema():
    {statement}
nnctl.cli.schema.schema = schema
sys.exit(nnctl.cli.main(["schema"]))
"""
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("raise errors.UsageError('no')", 2),
        ("raise errors.DataError('no')", 3),
        ("raise errors.RunError('no')", 2),
        ("raise errors.DivergedError('no')", 4),
        ("raise errors.GradcheckFailed('no')", 5),
        ("raise errors.Interrupted(2, 'no')", 130),
        ("raise errors.Interrupted(15, 'no')", 143),
    ],
)
def test_every_error_has_its_exit_code_and_no_traceback(statement: str, code: int) -> None:
    done = end_with(statement)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "nnctl: no\n")


def test_spec_errors_are_printed_as_they_are() -> None:
    done = end_with("raise errors.SpecError([errors.Diagnostic('no', errors.Location('a.yaml', 1, 2, 1, 'abc'))])")
    assert done.returncode == 2
    assert done.stderr == "a.yaml:1:2: error: no\n  1 | abc\n    |  ^\n"


def test_a_defect_says_so_and_keeps_its_traceback() -> None:
    done = end_with("1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.rstrip().split("\n")[-1].startswith("nnctl: this is a defect of nnctl")


def test_an_error_of_the_machine_is_no_defect() -> None:
    done = end_with("import errno; raise OSError(errno.ENOSPC, 'No space left on device', '/full/file')")
    assert (done.returncode, done.stderr) == (2, "nnctl: No space left on device: /full/file\n")


def test_keyboard_interrupt() -> None:
    done = end_with("raise KeyboardInterrupt")
    assert done.returncode == 130
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("lines", [3, 100_000])
def test_a_reader_that_goes_away_is_met_with_silence(lines: int) -> None:
    program = f"""
import sys, nnctl.cli, nnctl.cli.schema
def schema():
    for _ in range({lines}):
        print("a line")
nnctl.cli.schema.schema = schema
sys.stdin.readline()
sys.exit(nnctl.cli.main(["schema"]))
"""
    reading, writing = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=writing, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(writing)
        os.close(reading)
        _, said = process.communicate("\n")
    assert (process.returncode, said) == (141, "")


def test_colours_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert wants_colour(Stream())
    assert not wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not wants_colour(Stream())
    assert render(errors.DataError("no"), Stream()) == "nnctl: no"


def test_colours_change_no_letter() -> None:
    text = errors.SpecError(
        [errors.Diagnostic("no", errors.Location("a.yaml", 1, 2, 1, "abc"), "yes", "did you mean 'b'?")]
    )
    painted = colour(str(text))
    assert painted != str(text)
    plain = painted
    for escape in ("\x1b[1;31m", "\x1b[1;36m", "\x1b[1;32m", "\x1b[1m", "\x1b[0m"):
        plain = plain.replace(escape, "")
    assert plain == str(text)
