"""The wheel and the sdist hold what they must, and the packaging agrees with itself."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import nnctl

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist of this tree."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    return zipfile.ZipFile(next(built.glob("*.whl")))


def shipped() -> set[str]:
    """Every file under `nnctl/` that is no by-product."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nnctl").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.mark.slow
def test_the_wheel_holds_the_whole_package_and_its_data(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {name for name in names if name.startswith("nnctl/")} == shipped()
    assert "nnctl/py.typed" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


@pytest.mark.slow
def test_the_wheel_brings_the_completions_to_where_shells_look(wheel: zipfile.ZipFile) -> None:
    shared = {name.partition(".data/data/")[2] for name in wheel.namelist() if ".data/data/" in name}
    assert shared == {
        "share/bash-completion/completions/nnctl",
        "share/zsh/site-functions/_nnctl",
        "share/fish/vendor_completions.d/nnctl.fish",
    }


def test_metadata(wheel: zipfile.ZipFile) -> None:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = Parser().parsestr(wheel.read(name).decode())
    assert metadata["Name"] == "nnctl"
    assert metadata["Version"] == nnctl.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"


def test_the_sdist_can_be_built_and_tested_from(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert shipped() <= names
    for name in (
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "pyproject.toml",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "benchmarks/arena.py",
        "docs/modules.md",
        "examples/component-package/pyproject.toml",
        "scripts/architecture.py",
        "specs/digits.yaml",
        "tests/test_packaging.py",
    ):
        assert name in names


def test_the_command_and_the_data_sources_are_registered() -> None:
    assert [e.value for e in entry_points(group="console_scripts", name="nnctl")] == ["nnctl.cli:main"]
    assert "nnctl.data.sources" in [e.value for e in entry_points(group="nnctl.components")]


def test_the_changelog_speaks_of_this_version() -> None:
    assert f"## [{nnctl.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_every_supported_python_is_declared() -> None:
    versions = [
        c.rpartition(" ")[2] for c in PROJECT["classifiers"] if c.startswith("Programming Language :: Python :: 3.")
    ]
    assert versions == ["3.11", "3.12", "3.13"]
