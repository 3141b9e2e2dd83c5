"""What is logged reaches the user on stderr, each line once, unless the command is to be quiet."""

from __future__ import annotations

import logging

import pytest

from nnctl.cli import log_handler

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
