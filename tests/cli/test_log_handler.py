"""What is logged reaches the user on stderr, each line once, unless the command is to be quiet."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from nnctl.cli import log_handler
from nnctl.cli.app import command

LOG = logging.getLogger("nnctl.compile")


def test_a_line_of_the_log_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    log_handler.show()
    log_handler.show()
    LOG.info("compiling %s", "the step")
    LOG.debug("a detail")
    assert capsys.readouterr() == ("", "compiling the step\n")


def test_quiet_keeps_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    log_handler.show()
    log_handler.silence()
    LOG.info("compiling")
    LOG.warning("something is wrong")
    assert capsys.readouterr() == ("", "something is wrong\n")


def _quiet_options(branch: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for parameter in branch.params:
        if "--quiet" in parameter.opts:
            yield path, parameter
    for name, inner in getattr(branch, "commands", {}).items():
        yield from _quiet_options(inner, (*path, name))


def test_every_command_that_can_be_quiet_silences_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    options = dict(_quiet_options(command()))
    assert {("train",), ("report",)} < set(options)
    assert {path[0] for path in options} >= {"sweep", "runs"}
    for option in options.values():
        log_handler.show()
        for quiet in (False, True):
            option.callback(None, option, quiet)
            LOG.info("compiling")
        assert capsys.readouterr() == ("", "compiling\n")
