"""The recipes of CONTRIBUTING.md, each put into a copy of the tree: the tests that it names find it and pass."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends.cuda.emulator import compiler
from compiler_guard import compiler_refusal

ROOT = Path(__file__).parents[1]

SOURCES = {
    "An activation": 1,
    "A layer": 1,
    "An op with a kernel": 6,
    "A data source": 1,
    "A kind of column": 1,
    "A metric": 1,
    "A backend": 3,
    "An optimizer, a schedule": 2,
}
"""Files of nnctl that a recipe touches: the price of adding one thing."""

COVERED = {
    "An activation": "softsign",
    "A layer": "scale",
    "An op with a kernel": "running_sum",
    "A data source": "checkerboard",
    "A kind of column": "ordinal",
    "A metric": "rmsle",
    "A backend": "abacus",
    "An optimizer, a schedule": "sign_descent",
}
"""A word in the names of the tests that find the newcomer."""

WALKERS = (
    "tests/components/test_component_registry.py",
    "tests/components/test_component_derivatives.py",
    "tests/data/test_specs.py",
    "tests/spec/test_catalogue.py",
    "tests/ops/test_component_formulas.py",
    "tests/ops/test_structured.py",
    "tests/backends/test_contract.py",
    "tests/test_specs_folder.py",
)


def blocks() -> Iterator[tuple[str, str, str]]:
    """(recipe, path, text) of each piece of code whose first line names a file."""
    for section in re.split(r"^### ", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), flags=re.M)[1:]:
        title = section.partition("\n")[0]
        for code in re.findall(r"^```(?:python|yaml|cuda)\n(.*?)^```$", section, flags=re.M | re.S):
            first, _, text = code.partition("\n")
            path = re.fullmatch(r"(?:#|//) ([\w/.-]+)(?:, at its end)?", first)
            assert path, f"{title}: a piece of code begins with the name of its file, not with {first!r}"
            yield title, path[1], text


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree with every recipe in it."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("nnctl", "specs", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for _, path, text in blocks():
        before = (copy / path).read_text(encoding="utf-8") + "\n\n" if (copy / path).exists() else ""
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_text(before + text, encoding="utf-8")
    return copy


def run(tree: Path, *command: str, **environment: str) -> str:
    """The output of a Python module, in the copy of the tree."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), os.environ["PYTHONPATH"]]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def passed(tree: Path, *arguments: str) -> list[str]:
    """The names of the tests that passed; all of them did."""
    # It keeps its own tests to their markers; collecting those of backends loads compiled code.
    printed = run(tree, "pytest", "-n", "0", "-rp", *arguments, **{compiler_refusal.VARIABLE: ""})
    return re.findall(r"^PASSED (\S+)", printed, flags=re.M)


def test_each_recipe_costs_what_it_says() -> None:
    touched: dict[str, set[str]] = {}
    for title, path, _ in blocks():
        touched.setdefault(title, set()).update({path} if path.startswith("nnctl/") else ())
    assert {title: len(paths) for title, paths in touched.items()} == SOURCES
    assert {path.rpartition("/")[0] for path in touched["A backend"]} == {"nnctl/backends/abacus"}


def test_they_are_in_the_style_of_the_project(tree: Path) -> None:
    changed = sorted({path for _, path, _ in blocks() if path.endswith(".py")})
    run(tree, "ruff", "check", *changed)
    run(tree, "ruff", "format", "--check", *changed)


@pytest.mark.compile
def test_the_tests_that_walk_registries_find_them(tree: Path) -> None:
    words = " or ".join(COVERED.values())
    names = passed(tree, *WALKERS, "-m", "not compile", "-k", f"{words} or show_every_kind")
    for recipe, word in COVERED.items():
        assert any(word in name for name in names), f"{recipe}: no test covers it"


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["running-sum", "scale"])
def test_gradients_of_the_layers_are_right(tree: Path, stem: str) -> None:
    run(tree, "nnctl", "gradcheck", f"specs/{stem}.yaml")


@pytest.mark.slow
@pytest.mark.skipif(compiler() is None, reason="the emulated device needs g++")
def test_the_emulated_device_runs_the_kernel(tree: Path) -> None:
    assert len(passed(tree, "tests/backends/cuda/test_kernels.py", "-k", "running_sum")) >= 3


@pytest.mark.compile
def test_the_compiled_backend_runs_them(tree: Path) -> None:
    stems = [Path(path).stem for _, path, _ in blocks() if path.endswith(".yaml")]
    names = passed(tree, "tests/test_specs_folder.py", "-m", "compile", "-k", " or ".join(stems))
    assert len(names) >= len(stems)
    kernel = ("tests/backends/test_contract.py", "tests/backends/test_races.py", "tests/backends/test_steps.py")
    assert len(passed(tree, *kernel, "-m", "compile", "-k", "running_sum or running-sum")) > 3
