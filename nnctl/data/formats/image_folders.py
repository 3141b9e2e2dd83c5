"""Folders of pictures: which files are pictures of which class in which split, and what is left out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import cached_property
from pathlib import Path

from nnctl.data.opening import unreadable
from nnctl.data.paths import IMAGE_SUFFIXES
from nnctl.data.source import SPLITS
from nnctl.data.words import cut
from nnctl.errors import DataError
from nnctl.late import dataclass

_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
    "testing": "test",
}
"""Names that folders of splits have, in small letters, and what they mean."""
_SYSTEM = frozenset({"__macosx", "thumbs.db", "desktop.ini"})
"""Names that systems leave in folders, in small letters; those that begin with a dot are hidden as well."""
_SHOWN = 3


@dataclass
class LeftOut:
    """Files and folders that were not read, and why: by reason their number, and the first of their names."""

    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count one more."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        names = self.names.setdefault(reason, [])
        if len(names) < _SHOWN and name not in names:
            names.append(name)

    @property
    def sentences(self) -> tuple[str, ...]:
        """One line, if there is anything to say."""
        if not self.counts:
            return ()
        parts = []
        for reason, count in self.counts.items():
            names = self.names[reason]
            shown = ", ".join(map(cut, names)) + (", …" if count > len(names) else "")
            parts.append(f"{count:,} {reason} ({shown})")
        return (f"left out of the pictures: {'; '.join(parts)}",)


@dataclass(frozen=True)
class PictureFolder:
    """The pictures of a folder, not opened.

    classes: names in alphabetical order. files: by split, then by class, in order of name; "train" alone where the
    folders are the classes themselves.
    """

    classes: tuple[str, ...]
    files: dict[str, dict[str, list[Path]]]
    left_out: LeftOut

    @cached_property
    def listed(self) -> tuple[list[Path], list[int], list[int]]:
        """All files, in order of split, class and name; of each its label, and the number of its split."""
        rows = [
            (path, label, number)
            for number, split in enumerate(SPLITS)
            for label, name in enumerate(self.classes)
            for path in self.files.get(split, {}).get(name, ())
        ]
        files, labels, splits = zip(*rows, strict=True)
        return list(files), list(labels), list(splits)


def find_pictures(folder: Path, *, nested: bool) -> PictureFolder:
    """The pictures of a folder with a sub-folder a class, or with these in folders of the splits.

    nested: pictures may lie in folders within a class's. Raises DataError where a class has no picture, where pictures
    would be passed over, or where what the folders are cannot be told.
    """
    left_out = LeftOut()
    folders = _sub_folders(folder, left_out)
    splits = _splits(folder, folders)
    files = {}
    for split, place in (splits or {"train": folder}).items():
        classes = _sub_folders(place, left_out) if splits else folders
        if not classes:
            raise DataError(f"{place} has no sub-folders; put the images of each class in one of its own")
        for path in classes:
            if not path.name.isprintable():
                raise DataError(
                    f"{place} has a folder named {path.name!r}, and the names of classes are printable UTF-8\n"
                    "  rename it"
                )
        files[split] = {path.name: pictures_in(path, left_out, nested=nested) for path in classes}
    names = tuple(sorted({name for by_class in files.values() for name in by_class}))
    for split, by_class in files.items():
        for name in names:
            if name in by_class and name not in files["train"]:
                raise DataError(
                    f"{splits[split] / name} is of a class that {splits['train']} lacks: no net could learn it\n"
                    f"  add training examples of {name!r}, or remove the folder"
                )
    return PictureFolder(names, files, left_out)


def pictures_in(folder: Path, left_out: LeftOut, *, nested: bool) -> list[Path]:
    """The pictures in a folder, in order of name; nested, those of its sub-folders behind its own. Raises DataError."""
    found = list(_walk(folder, left_out, nested))
    if not found:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise DataError(f"{folder} holds no image ({known})\n  put images there, or remove it")
    return found


def _walk(top: Path, left_out: LeftOut, nested: bool) -> Iterator[Path]:
    waiting, seen = [top], set()
    while waiting:
        folder = waiting.pop()
        if nested:
            place = _place(folder)
            if place in seen:
                raise DataError(f"{folder} leads to a folder whose pictures are read already\n  remove the link")
            seen.add(place)
        folders = []
        for entry in _entries(folder):
            if _hidden(entry.name):
                left_out.add("hidden", entry.name)
            elif entry.is_dir():
                if not nested:
                    raise DataError(
                        f"{folder} holds a folder {cut(entry.name)!r}, and pictures are read from one folder a class\n"
                        "  give data the field nested: true to read the folders within it, too"
                    )
                folders.append(folder / entry.name)
            elif _is_picture(entry.name):
                yield folder / entry.name
            else:
                left_out.add("of other kinds", entry.name)
        waiting += reversed(folders)


def _place(folder: Path) -> tuple[int, int]:
    """Device and number of a folder, which are its own however it is reached."""
    try:
        status = os.stat(folder)
    except OSError as error:
        raise unreadable(folder, error) from error
    return status.st_dev, status.st_ino


def split_folders(folder: Path) -> dict[str, Path]:
    """The folders of the splits in a folder of pictures, by what they mean, if it has any. Raises DataError."""
    return _splits(folder, _sub_folders(folder, LeftOut()))


def _splits(folder: Path, folders: Sequence[Path]) -> dict[str, Path]:
    named = [path for path in folders if path.name.lower() in _NAMES]
    flat = [path for path in named if not _holds_folders(path)]
    if flat and len(named) == len(folders) > 1:
        raise DataError(
            f"{flat[0]} holds no folders of classes, and the pictures of a split lie in one for each class\n"
            "  pictures whose classes are not known are for nnctl predict: move the folder away"
        )
    # A class may well be called train, as cars and ships are; one that holds nothing but folders is none.
    if flat or not named:
        return {}
    others = [path.name for path in folders if path not in named]
    if others:
        raise DataError(
            f"{folder} holds {named[0].name}/, with folders in it, beside {cut(others[0])}/: splits or classes?\n"
            f"  move {cut(others[0])!r} away, or into {named[0].name}/ if it is a class"
        )
    splits: dict[str, Path] = {}
    for path in named:
        meaning = _NAMES[path.name.lower()]
        if meaning in splits:
            raise DataError(
                f"{folder} holds both {splits[meaning].name}/ and {path.name}/: which is the {meaning} split?"
            )
        splits[meaning] = path
    if "train" not in splits:
        raise DataError(f"{folder} holds {named[0].name}/ and no train/: there is nothing to train on")
    return {name: splits[name] for name in SPLITS if name in splits}


def holds_pictures(folder: Path) -> bool:
    """True where pictures lie in a folder itself. Raises DataError."""
    return any(_is_picture(entry.name) and not entry.is_dir() for entry in _entries(folder) if not _hidden(entry.name))


def _holds_folders(folder: Path) -> bool:
    """True where a folder holds folders and no picture, as one of classes does."""
    folders = any(entry.is_dir() for entry in _entries(folder) if not _hidden(entry.name))
    return folders and not holds_pictures(folder)


def _sub_folders(folder: Path, left_out: LeftOut) -> list[Path]:
    """The folders in a folder of classes or splits, in order of name."""
    found = []
    for entry in _entries(folder):
        if _hidden(entry.name):
            left_out.add("hidden", entry.name)
        elif entry.is_dir():
            found.append(folder / entry.name)
        else:
            reason = "outside the folders of the classes" if _is_picture(entry.name) else "of other kinds"
            left_out.add(reason, entry.name)
    return found


def _hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _SYSTEM


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder, by name; by a scan, which tells files from folders without a question for each."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from error
