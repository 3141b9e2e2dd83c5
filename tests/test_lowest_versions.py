"""The script that tests the lowest versions: it reads them, and pins every requirement of users."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "scripts" / "lowest_versions.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lowest_versions", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_requirement_of_a_user_is_pinned_once(script: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    done = subprocess.run([sys.executable, str(SCRIPT), "--print"], capture_output=True, text=True, check=True)
    pins = done.stdout.splitlines()
    names = [pin.partition("==")[0] for pin in pins]
    assert len(set(names)) == len(names)
    extras = {name for name in project["optional-dependencies"] if name not in script.LEFT_OUT}
    asked = [*project["dependencies"], *(each for name in extras for each in project["optional-dependencies"][name])]
    assert {each.partition(">=")[0] for each in asked} | set(script.TOOLS) == set(names)
    assert set(script.LEFT_OUT) <= set(project["optional-dependencies"])
    assert f"numpy=={next(e for e in asked if e.startswith('numpy>=')).partition('>=')[2]}" in pins


@pytest.mark.parametrize(
    ("requirement", "pin"),
    [
        ("a-b>=1.2", "a-b==1.2"),
        ("a>=5,<6", "a==5"),
        ("a[x,y]>=1; sys_platform != 'win32'", "a[x,y]==1; sys_platform != 'win32'"),
    ],
)
def test_a_requirement_is_pinned_to_its_lower_bound(script: ModuleType, requirement: str, pin: str) -> None:
    assert script.pinned(requirement) == pin


@pytest.mark.parametrize("requirement", ["a", "a==1", "a<2", "a>1"])
def test_a_requirement_without_a_lower_bound_is_refused(script: ModuleType, requirement: str) -> None:
    with pytest.raises(ValueError, match="has no lower bound"):
        script.pinned(requirement)


def test_its_tests_are_there(script: ModuleType) -> None:
    assert all((ROOT / path).exists() for path in script.TESTS)
