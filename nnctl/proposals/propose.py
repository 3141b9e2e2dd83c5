"""The proposal for a file or folder, by what it is."""

from __future__ import annotations

import os
from pathlib import Path

from nnctl.data.paths import existing_file_or_folder
from nnctl.data.tables.reading import COLUMNAR, RECORDS, SHEETS, TEXT, way_of
from nnctl.data.words import nearest
from nnctl.errors import DataError, UsageError
from nnctl.proposals.proposal import Called, Proposal

_IDX = ("ubyte", "ubyte.gz", ".idx", ".idx.gz", ".idx3", ".idx3.gz")


def propose(given: Path, target: str | None, folder: Path, sheet: str | None = None) -> Proposal:
    """The proposal for data. target: of a table the column, of arrays the name or the file of the targets.

    folder: where the spec will lie. sheet: of a workbook. Raises DataError, UsageError.
    """
    if not os.path.lexists(given.expanduser()):
        raise DataError(f"there is no file or folder {given}{_nearby(given)}")
    path = existing_file_or_folder(str(given), Path())

    def called(file: Path) -> str:
        return _name_from(folder, file)

    name = path.name.lower()
    if sheet is not None and (path.is_dir() or not name.endswith(SHEETS)):
        raise UsageError(f"--sheet is of a workbook ({', '.join(SHEETS)}), and {given} is none\n  leave it out")
    if path.is_dir():
        return _of_folder(path, called, target)
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty: there is nothing to look at")
    if name.endswith(".npz"):
        from nnctl.proposals.arrays import of_npz

        return of_npz(path, called, target)
    if name.endswith(".npy"):
        from nnctl.proposals.arrays import of_npy

        return of_npy(path, called, target)
    if name.endswith(_IDX):
        from nnctl.proposals.arrays import of_idx

        return of_idx(path, called, target)
    if name.endswith(".txt") and target is None:
        from nnctl.proposals.texts import of_text

        return of_text(path, called)
    if name.endswith((*TEXT, *RECORDS, *COLUMNAR, *SHEETS)):
        from nnctl.proposals.tables import of_table

        return of_table(path, called, target, sheet)
    if (way := way_of(path)) is not None:
        raise DataError(f"{path}: {way}")
    raise DataError(
        f"{path}: its name does not say what it is\n  expected a folder of pictures, a table "
        "(.csv, .tsv, .jsonl, .parquet, .feather, .xlsx and more), .npz, .npy, an idx file (…ubyte) or .txt"
    )


def _of_folder(folder: Path, called: Called, target: str | None) -> Proposal:
    if target is not None:
        raise UsageError("--target is of a table or of arrays: the classes of pictures are the names of their folders")
    names = sorted(os.listdir(folder))
    if not names:
        raise DataError(f"{folder} is empty: there is nothing to look at")
    if not any((folder / name).is_dir() for name in names) and any(name.lower().endswith(".txt") for name in names):
        from nnctl.proposals.texts import of_text

        return of_text(folder, called)
    from nnctl.proposals.folders import of_pictures

    return of_pictures(folder, called)


def _nearby(missing: Path) -> str:
    try:
        near = nearest(missing.name, sorted(os.listdir(missing.parent)))
    except OSError:
        return f"\n  nor a folder {missing.parent}"
    return f"\n  did you mean {near!r}?" if near else ""


def _name_from(folder: Path, path: Path) -> str:
    """The path of a file as a spec in `folder` has it: relative where the file was given so."""
    name = str(path) if path.is_absolute() else os.path.relpath(path, folder)
    if name.startswith("~"):
        name = str(path.absolute())
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DataError(f"{path}: its name is no UTF-8, and a spec is UTF-8 text\n  rename it") from None
    return name
