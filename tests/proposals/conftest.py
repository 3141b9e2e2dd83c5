"""Proposals in tests: asked for as a person does, read as a spec, and trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from nnctl.cli import main


@dataclass(frozen=True)
class Proposed:
    """What `nnctl init` said: its exit code, the spec as text and as data, and stderr."""

    code: int
    text: str
    err: str

    @property
    def spec(self) -> Any:
        return yaml.safe_load(self.text)

    @property
    def data(self) -> Any:
        return self.spec["data"]

    @property
    def columns(self) -> Any:
        return self.data["columns"]

    def why(self, name: str) -> str:
        """The comment behind the line of a key."""
        lines = [line for line in self.text.splitlines() if line.strip().startswith(f"{name}:")]
        return lines[0].partition("  # ")[2]


@pytest.fixture
def init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Proposed]:
    """`nnctl init` in an empty folder, that of `tmp_path`."""
    monkeypatch.chdir(tmp_path)

    def ask(*arguments: str) -> Proposed:
        code = main(("init", *arguments))
        captured = capsys.readouterr()
        return Proposed(code, captured.out, captured.err)

    return ask


@pytest.fixture
def trains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[Proposed], None]:
    """A proposal is inspected and trained as it stands, two epochs of it."""

    def check(proposed: Proposed) -> None:
        assert proposed.code == 0, proposed.err
        (tmp_path / "proposed.yaml").write_text(proposed.text, encoding="utf-8")
        assert main(("inspect", "proposed.yaml")) == 0, capsys.readouterr().err
        line = ("train", "proposed.yaml", "--epochs", "2", "--backend", "numpy", "--quiet")
        assert main(line) == 0, capsys.readouterr().err
        capsys.readouterr()

    return check
