"""Packages that are installed and add components, by their entry points.

Python's `importlib.metadata` finds the same. It takes longer to be loaded and to look through an environment than all
components do to be registered, so it is asked only where a package may lie in an archive, or be found by a stranger.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from functools import reduce
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, NamedTuple

_ENDINGS = (".dist-info", ".egg-info")
_SEPARATORS = re.compile("[-_.]+")
_REFERENCE = re.compile(r"(?P<module>[\w.]+)\s*(:\s*(?P<attribute>[\w.]+))?")


class EntryPoint(NamedTuple):
    """A line of a package's metadata. value: a module, with an attribute behind a colon where it names one."""

    name: str
    value: str
    package: str

    @property
    def root(self) -> str:
        """The outermost package of the module."""
        return re.split(r"[.:\s]", self.value, maxsplit=1)[0]

    def load(self) -> Any:
        """The object that it names, its module imported. Raises ValueError where it names none."""
        match = _REFERENCE.match(self.value)
        if match is None:
            raise ValueError(f"its entry point {self.name!r} names no module")
        return reduce(getattr, filter(None, (match["attribute"] or "").split(".")), import_module(match["module"]))


def entry_points(group: str) -> list[EntryPoint]:
    """The entry points of a group, by their names. Of packages of one name the first on Python's path counts."""
    return sorted(_of_archives(group) if _is_unusual() else _of_folders(group))


def _is_unusual() -> bool:
    """True where packages may be found that are no folders on Python's path."""
    # Of newer Pythons' library, which some package may load, the finder finds no more than theirs.
    others = [
        finder
        for finder in sys.meta_path
        if finder is not PathFinder
        and hasattr(finder, "find_distributions")
        and _package_of(finder) != "importlib_metadata"
    ]
    return bool(others) or any(root.endswith(".egg") or os.path.isfile(root) for root in sys.path)


def _package_of(finder: object) -> str:
    return str(getattr(finder, "__module__", "")).partition(".")[0]


def _of_archives(group: str) -> Iterator[EntryPoint]:
    # Here and not above: it is what this module spares.
    from importlib import metadata

    for found in metadata.entry_points(group=group):
        yield EntryPoint(found.name, found.value, found.name if found.dist is None else found.dist.name)


def _of_folders(group: str) -> Iterator[EntryPoint]:
    head, seen = f"[{group}]", set()
    for root in sys.path:
        try:
            names = os.listdir(root or ".")
        except OSError:
            continue
        for name in names:
            if not name.lower().endswith(_ENDINGS):
                continue
            package = _SEPARATORS.sub("-", name.rpartition(".")[0].partition("-")[0]).lower()
            if package in seen:
                continue
            seen.add(package)
            # Most packages have no such file: to look whether it is there would be as much again.
            try:
                with open(os.path.join(root, name, "entry_points.txt"), encoding="utf-8", errors="replace") as file:
                    text = file.read()
            except OSError:
                continue
            if head in text:
                owner = _name_in(Path(root, name)) or package
                yield from (EntryPoint(point, value, owner) for point, value in _lines(text, head))


def _lines(text: str, head: str) -> Iterator[tuple[str, str]]:
    """(name, value) of the lines under a head."""
    inside = False
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            inside = line == head
        elif inside and line and line[0] != "#":
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _name_in(folder: Path) -> str | None:
    """A package's name as its metadata spell it."""
    for file in ("METADATA", "PKG-INFO"):
        try:
            text = (folder / file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        match = re.search(r"^Name:\s*(\S+)", text, re.MULTILINE)
        return None if match is None else match[1]
    return None
