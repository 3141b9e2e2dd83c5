"""The guide for packages of components is true: its package works as it stands there, its tables are complete."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
from test_component_package import install, nnctl, rows

from nnctl.components.registry import kinds
from nnctl.ops.primitives import PRIMITIVES

GUIDE = Path(__file__).parents[1] / "docs" / "plugins.md"
TEXT = GUIDE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The guide's package, in a folder of its own."""
    folder = tmp_path_factory.mktemp("package")
    for name, text in re.findall(r"^```(?:toml|python|yaml)\n# ([\w./-]+)\n(.*?)^```$", TEXT, flags=re.M | re.S):
        (folder / name).write_text(text, encoding="utf-8")
    assert sorted(path.name for path in folder.iterdir()) == ["nnctl_snake.py", "pyproject.toml", "waves.yaml"]
    return folder


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(package, tmp_path_factory.mktemp("site"))


@pytest.mark.slow
def test_its_component_explains_itself(installed: Path) -> None:
    (snake,) = rows(nnctl(installed, "explain", "snake"))
    assert (snake["package"], snake["formula"]) == ("nnctl-snake", "a = z + sin²(αz)/α")
    assert snake["example"] == "activation: {type: snake, alpha: 2.0}"


@pytest.mark.slow
def test_its_derivative_is_right(package: Path, installed: Path) -> None:
    assert {row["verdict"] for row in rows(nnctl(installed, "gradcheck", str(package / "waves.yaml")))} == {"PASS"}


@pytest.mark.slow
@pytest.mark.compile
def test_it_trains_where_it_is_compiled(package: Path, installed: Path, tmp_path: Path) -> None:
    arguments = ["train", str(package / "waves.yaml"), "--out", str(tmp_path / "run"), "--set", "backend=cpu"]
    found = rows(nnctl(installed, *arguments))
    assert float(str(found[-1]["validation_cost"])) < 0.2 * float(str(found[0]["validation_cost"]))


def test_the_table_of_kinds_is_complete_and_names_what_there_is() -> None:
    table = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| (.+) \|$", TEXT, flags=re.M)
    assert [kind for kind, _, _ in table] == list(kinds())
    for kind, path, words in table:
        module, _, name = path.rpartition(".")
        base = getattr(import_module(module or "nnctl.components.base"), name)
        assert base.kind == kind
        for member in re.findall(r"`([a-z_]+)`", words):
            assert hasattr(base, member) or member == "build", f"{kind}: {member}"


def test_every_function_of_formulas_is_named() -> None:
    named = re.search(r"Functions are those of `xp` alone: (.*?)\.", TEXT, flags=re.S)
    assert named is not None
    assert set(re.findall(r"`(\w+)`", named[1])) == set(PRIMITIVES)
