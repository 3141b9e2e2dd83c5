"""The operating system in words, for which no process is started."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from nnctl.process.system import system


def test_the_words_are_those_of_the_platform() -> None:
    assert system() == platform.platform()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python itself asks")
def test_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a process is started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    assert system().startswith("Linux-")
