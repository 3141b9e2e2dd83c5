"""Entry points of installed packages: what the library of Python finds, found sooner."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from nnctl.components.packages import EntryPoint, entry_points

GROUP = "nnctl.tried"
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts a package's metadata into a folder on Python's path, the last the first; its lines stand in the group."""

    def write(folder: str, called: str, lines: str, name: str = "", file: str = "METADATA") -> Path:
        root = tmp_path / folder
        if str(root) not in sys.path:
            monkeypatch.syspath_prepend(root)
        (root / called).mkdir(parents=True)
        if name:
            (root / called / file).write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n\nName: none\n")
        if lines:
            (root / called / "entry_points.txt").write_text(lines)
        return root

    return write


def by_the_library() -> list[EntryPoint]:
    found = metadata.entry_points(group=GROUP)
    return sorted(EntryPoint(e.name, e.value, e.dist.name if e.dist else "") for e in found)


def test_what_is_installed_here_is_what_the_library_finds():
    found = metadata.entry_points(group="nnctl.components")
    assert [(e.name, e.value) for e in entry_points("nnctl.components")] == sorted((e.name, e.value) for e in found)
    assert "nnctl.data.sources" in [e.value for e in entry_points("nnctl.components")]


def test_lines_of_other_groups_and_remarks_are_passed_over(put: Put) -> None:
    put("a", "some_thing-1.0.dist-info", f"[other]\nx = y\n[{GROUP}]\n# no\n\nb = one.two\na=three\n[z]\nc = d\n",
        name="Some.Thing")  # fmt: skip
    put("a", "plain-1.0.dist-info", "", name="plain")
    put("a", "another-1.0.dist-info", "[console_scripts]\nnnctl.tried = other:main\n", name="another")
    assert entry_points(GROUP) == by_the_library()
    assert entry_points(GROUP) == [("a", "three", "Some.Thing"), ("b", "one.two", "Some.Thing")]


def test_of_packages_of_one_name_the_first_on_the_path_counts(put: Put) -> None:
    put("later", "some_thing-1.0.dist-info", f"[{GROUP}]\na = old\n", name="some-thing")
    put("later", "gone-1.0.dist-info", f"[{GROUP}]\ngone = old\n", name="gone")
    put("first", "Some.thing-2.0.dist-info", f"[{GROUP}]\na = new\n", name="some-thing")
    put("first", "gone-2.0.dist-info", "", name="gone")
    assert entry_points(GROUP) == by_the_library()
    assert entry_points(GROUP) == [("a", "new", "some-thing")]


def test_a_package_that_is_being_developed_is_found(put: Put) -> None:
    put("a", "mine.egg-info", f"[{GROUP}]\na = mine\n", name="mine", file="PKG-INFO")
    assert entry_points(GROUP) == by_the_library() == [("a", "mine", "mine")]


def test_a_package_without_a_name_has_its_folder_s(put: Put) -> None:
    put("a", "mine-1.0.dist-info", f"[{GROUP}]\na = mine\n")
    assert entry_points(GROUP) == [("a", "mine", "mine")]


def test_a_later_python_s_library_is_no_stranger(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has loaded it: it stops at a package without a name."""
    later = pytest.importorskip("importlib_metadata")
    if not any(isinstance(finder, later.MetadataPathFinder) for finder in sys.meta_path):
        monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, later.MetadataPathFinder()])
    put("a", "mine-1.0.dist-info", f"[{GROUP}]\na = mine\n")
    assert entry_points(GROUP) == [("a", "mine", "mine")]


def test_packages_in_archives_are_found(put: Put, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("a", "one-1.0.dist-info", f"[{GROUP}]\na = one\n", name="one")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("two-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: two\nVersion: 1.0\n")
        archive.writestr("two-1.0.dist-info/entry_points.txt", f"[{GROUP}]\nb = two\n")
    monkeypatch.syspath_prepend(str(tmp_path / "two.zip"))
    assert entry_points(GROUP) == by_the_library() == [("a", "one", "one"), ("b", "two", "two")]


def test_a_stranger_s_finder_is_asked(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    root = put("a", "one-1.0.dist-info", f"[{GROUP}]\na = one\n", name="one")
    sys.path.remove(str(root))

    class Finder:
        def find_spec(self, *asked: object) -> None:
            return None

        def find_distributions(self, context: object) -> list[metadata.Distribution]:
            return [metadata.PathDistribution(root / "one-1.0.dist-info")]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    assert entry_points(GROUP) == by_the_library() == [("a", "one", "one")]


@pytest.mark.parametrize(
    ("value", "named"),
    [("json", json), ("json:dumps", json.dumps), ("json : JSONDecoder.decode [extra]", json.JSONDecoder.decode)],
)
def test_an_entry_point_loads_what_it_names(value: str, named: object) -> None:
    assert EntryPoint("a", value, "b").load() is named


def test_an_entry_point_that_names_nothing_says_so(put: Put) -> None:
    put("a", "one-1.0.dist-info", f"[{GROUP}]\na\n", name="one")
    assert entry_points(GROUP) == [("a", "", "one")]
    with pytest.raises(ValueError, match="its entry point 'a' names no module"):
        EntryPoint("a", "", "b").load()


def test_a_command_does_without_the_library() -> None:
    program = (
        "import sys; from nnctl.components import registry; registry.components('layer'); "
        "print([m for m in sys.modules if m.startswith('importlib.metadata')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
