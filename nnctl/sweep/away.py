"""A sweep whose folder is an address: all that tells of it, in a folder here for as long as a command runs.

Records of the sweep are files at the address under the names that they have in a folder. What is written of them here
is there when it is written; trials are brought from there without their weights.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nnctl.errors import NnctlError, RunError
from nnctl.late import dataclass
from nnctl.runs import carried, durable
from nnctl.runs.addresses import Address, Place, is_address, require_slashes
from nnctl.runs.disk import Disk
from nnctl.runs.durable import make_folder, read_file, write_durably
from nnctl.runs.endings import ENDED
from nnctl.runs.folder import STUDY, RunFolder
from nnctl.runs.sweeps import ASKED, KNOWN, RESULTS, trial_folder
from nnctl.sweep.search import PROPOSALS

_RECORD = re.compile(
    rf"(?:{'|'.join(map(re.escape, (STUDY, ASKED, KNOWN, RESULTS)))}|(?:{ENDED}|{PROPOSALS})/\d+\.json)"
)

_TRIAL_HERE = re.compile(r"\d+/(?:spec\.yaml|summary\.json)")
"""Files of a trial's run folder, which are never carried under these names."""


@dataclass(frozen=True)
class Away:
    """A sweep at an address, and the folder that stands for it here."""

    place: Place
    folder: Path

    @property
    def address(self) -> Address:
        """The address."""
        return self.place.address

    def shown(self, text: str) -> str:
        """A text in which what is called by its path here is called by its address."""
        return text.replace(str(self.folder), self.address.name)

    def bring(self, number: int, *, finished: bool = False) -> None:
        """Bring what tells of a trial, as it was carried last. finished: it is, and what else is left of it goes.

        Raises RunError where it is not there.
        """
        run = RunFolder(trial_folder(self.folder, number))
        carrying = carried.furthest(self.place, run.path.name)
        if carrying is not None:
            carrying.write_texts(run)
        if finished:
            if carrying is None or not carrying.finished:
                raise RunError(
                    f"{run.path}: what a worker has carried there is not there\n"
                    "  does the address mean the same place on every machine?"
                )
            carried.tidy(self.place, run.path.name, carrying)

    def bring_weights(self, numbers: Sequence[int]) -> None:
        """Bring all of some trials. Raises RunError."""
        for number in numbers:
            run = RunFolder(trial_folder(self.folder, number))
            carried.bring(self.place, run.path.name, run)


@contextmanager
def opened(out: str | None, *, new: bool) -> Iterator[tuple[Path | None, Away | None]]:
    """The folder of a sweep that is named by its path or its address, or that stands for it. Raises as `away`.

    Raises UsageError and RunError, too, where a path is an address in truth, or lies behind one.
    """
    if out is None or not is_address(out):
        if out is not None:
            require_slashes(out)
            carried.refuse_carried(Path(out))
        yield None if out is None else Path(out), None
        return
    with away(Address(out), new=new) as found:
        yield found.folder, found


@contextmanager
def away(address: Address, *, new: bool) -> Iterator[Away]:
    """A sweep at an address, which is looked at first, and brought. new: one may begin there, or go on.

    Errors within the block name the address. Raises UsageError, RunError.
    """
    place = address.place()
    place.require_usable(new=new)
    with tempfile.TemporaryDirectory(prefix="nnctl-") as here:
        # By its own name, for messages and titles.
        folder = Path(here).resolve() / (place.root.rpartition("/")[2] or "sweep")
        found = Away(place, folder)
        disk = durable.disk
        try:
            _bring_all(found, new=new)
            durable.disk = _CarryingDisk(found)
            yield found
        except NnctlError as error:
            error.args = (found.shown(str(error)), *error.args[1:])
            raise
        finally:
            durable.disk = disk


def fetch(address: Address, folder: Path) -> int:
    """Copy a sweep from an address to a new folder, weights and all; returns the number of its trials.

    Raises UsageError, RunError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: is in the way: it is there already\n  choose another folder")
    with away(address, new=False) as found:
        numbers = sorted(int(each.name) for each in found.folder.iterdir() if each.name.isdecimal())
        for number in numbers:
            run = RunFolder(trial_folder(folder, number))
            carried.bring(found.place, run.path.name, run)
        records = [path for path in found.folder.glob("**/*.json") if _RECORD.fullmatch(_name(found.folder, path))]
        # Last of all what makes it a sweep's folder.
        for path in sorted(records, key=lambda each: (each.name == STUDY, each)):
            there = folder / path.relative_to(found.folder)
            make_folder(there.parent)
            write_durably(there, read_file(path))
    return len(numbers)


def _bring_all(found: Away, *, new: bool) -> None:
    """Bring the records, and what tells of every trial."""
    place, folder = found.place, found.folder
    names = place.names()
    if STUDY not in names and (not new or any(not name.rpartition("/")[2].startswith(".") for name in names)):
        if new:
            raise RunError(f"{place.address}: is in the way: it is not empty and not a sweep\n  choose another --out")
        raise RunError(f"{place.address}: there is no sweep: it has no {STUDY}\n  nnctl sweep says where it writes")
    if STUDY not in names:
        return
    if any(_TRIAL_HERE.fullmatch(name) for name in names):
        raise RunError(
            f"{place.address}: holds a sweep as a folder has it, and not as it lies at an address\n"
            "  name the folder by its path; where it was copied to there, copy it back"
        )
    for name, content in place.read_all([name for name in names if _RECORD.fullmatch(name)]):
        make_folder((folder / name).parent)
        write_durably(folder / name, content)
    trials = carried.furthest_names(names)
    whole = {f"{trial}/{name}": trial for trial, name in trials.items() if trial.isdecimal()}
    for name, content in place.read_all(list(whole)):
        trial = whole.pop(name)
        _write(found, trial, carried.furthest(place, trial, (trials[trial], content)))
    for trial in whole.values():  # Carried further meanwhile.
        _write(found, trial, carried.furthest(place, trial))


def _write(found: Away, trial: str, carrying: carried.Carrying | None) -> None:
    if carrying is not None:
        carrying.write_texts(RunFolder(found.folder / trial))


def _name(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


class _CarryingDisk(Disk):
    """The disk, with the records of a sweep at its address as well: they are there before their writing returns."""

    def __init__(self, found: Away) -> None:
        self._found = found

    def rename(self, path: Path, new: Path) -> None:
        """Give a file its name, here and there."""
        super().rename(path, new)
        if (name := self._record(new)) is not None:
            self._found.place.write(name, read_file(new))

    def remove(self, path: Path) -> None:
        """Remove a file, there and here."""
        if (name := self._record(path)) is not None:
            self._found.place.remove([name])
        super().remove(path)

    def _record(self, path: Path) -> str | None:
        path = path.absolute()
        name = _name(self._found.folder, path) if path.is_relative_to(self._found.folder) else ""
        return name if _RECORD.fullmatch(name) else None
