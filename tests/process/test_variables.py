"""Variables of the environment, set for a while; and what is not looked for because of one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from nnctl.process.variables import variables


def test_what_was_there_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NNCTL_ONE", "before")
    monkeypatch.delenv("NNCTL_TWO", raising=False)

    def fail() -> None:
        with variables({"NNCTL_ONE": "1", "NNCTL_TWO": "2"}):
            assert (os.environ["NNCTL_ONE"], os.environ["NNCTL_TWO"]) == ("1", "2")
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        fail()
    assert os.environ["NNCTL_ONE"] == "before"
    assert "NNCTL_TWO" not in os.environ


def test_to_read_a_spec_looks_for_no_plugins_of_pydantic() -> None:
    code = """
from nnctl.spec.load import load_text
load_text("data: xor\\nlayers: [{type: dense, units: 1}]\\ncost: mse\\n", "net.yaml")
from pydantic.plugin import _loader
assert _loader._plugins is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)
