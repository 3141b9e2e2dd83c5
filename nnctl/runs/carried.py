"""Runs carried to an address and back: each time all of a run, under names that nothing had before.

    <trial>/0-000000000840-00000003-9f2c41d0.json    a carrying: whether it is finished, its step, its rows, a token
    <trial>/9f2c41d0-last.safetensors                what it names

A carrying is one sealed file with all texts of the run; its checkpoints were written before, and it has their
checksums. So it is whole or none, whoever dies, and whatever another process carries at the same time: nobody takes
away what he has not put there, but the carrying that he began with. The furthest that is whole counts. All processes
that train a trial come by the same states, so it does not matter whose it is.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nnctl.errors import RunError
from nnctl.late import dataclass
from nnctl.runs.addresses import Place
from nnctl.runs.durable import make_folder, read_file, write_durably
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import Carried, Clock
from nnctl.runs.sealed import encoded, opened, read_record, sha256
from nnctl.runs.sweeps import trial_folder

_NAME = re.compile(r"([01])-\d{12}-\d{8}-[0-9a-f]{8}\.json")
_LOOKS = 3
"""Times that a trial's place is listed anew where what it had is gone: somebody has carried it further meanwhile."""
_SECONDS, _SHARE = 1.0, 20.0
"""Carryings are so many seconds apart at least, and so many times as far as one takes."""


@dataclass(frozen=True)
class Carrying:
    """A carrying that was read. content: the fields of `Carried`."""

    name: str
    content: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """True where it is of a finished run."""
        return self.name.startswith("1")

    def write_texts(self, run: RunFolder) -> None:
        """Write the texts of the run into its folder, which is this process's alone. Raises RunError."""
        _require_known(run, self.content["texts"])
        make_folder(run.path / "checkpoints")
        for name, text in self.content["texts"].items():
            (run.path / name).write_bytes(text.encode())


def furthest(place: Place, trial: str, first: tuple[str, bytes] | None = None) -> Carrying | None:
    """The furthest carrying of a trial that is whole by itself; None where it was never carried.

    first: the name and content of one that was read already, and counts where it is whole. Raises RunError.
    """
    if first is not None and (carrying := _read(*first)) is not None:
        return carrying
    for name in _candidates(place, trial):
        content = place.read(f"{trial}/{name}")
        if content is not None and (carrying := _read(name, content)) is not None:
            return carrying
    return None


def bring(place: Place, trial: str, run: RunFolder) -> Carrying | None:
    """Bring all of a trial into a folder that is empty, as it was carried last; None where it never was.

    Raises RunError where the place cannot be read, or nothing there is whole.
    """
    seen = False
    for _ in range(_LOOKS):
        for name in _candidates(place, trial):
            seen = True
            content = place.read(f"{trial}/{name}")
            carrying = None if content is None else _read(name, content)
            if carrying is not None and (parts := _parts(place, trial, carrying)) is not None:
                carrying.write_texts(run)
                _require_known(run, parts)
                for part, array in parts.items():
                    write_durably(run.path / part, array)
                return carrying
    if seen:
        raise RunError(
            f"{place.address}/{trial}: no checkpoint that was carried there is whole\n"
            "  remove what is there: the trial is then trained from its first step"
        )
    return None


def furthest_names(names: Iterable[str]) -> dict[str, str]:
    """The furthest carrying of each trial, by the trial, among names of files at an address."""
    found: dict[str, str] = {}
    for whole in sorted(names):
        trial, _, name = whole.partition("/")
        if _NAME.fullmatch(name):
            found[trial] = name
    return found


def refuse_carried(folder: Path) -> None:
    """Raise RunError where a sweep's folder is what lies behind an address: its first trial was carried there."""
    first = trial_folder(folder, 0)
    if first.is_dir() and any(_NAME.fullmatch(name) for name in os.listdir(first)):
        raise RunError(
            f"{folder}: holds a sweep as it lies at an address\n  name it by the address: file://{folder.absolute()}"
        )


def tidy(place: Place, trial: str, kept: Carrying) -> None:
    """Remove all else that a finished trial has left: what processes carried that died, or were slower."""
    needed = {kept.name, *(part["name"] for part in kept.content["parts"].values())}
    place.remove(f"{trial}/{name}" for name in place.listing(trial) if name not in needed)


class Carrier:
    """The carrying of one run from its folder, which is this process's alone, to its place."""

    def __init__(self, place: Place, trial: str, run: RunFolder) -> None:
        """Bring what is there. Raises RunError."""
        self._place, self._trial, self._run = place, trial, run
        begun = bring(place, trial, run)
        self._content = None if begun is None else begun.content["texts"]
        self._mine: dict[str, dict[str, str]] = {}  # parts, by their names in the run
        self._old = [] if begun is None else [begun.name, *(part["name"] for part in begun.content["parts"].values())]
        self._at, self._took = -_SECONDS, 0.0

    @property
    def due(self) -> bool:
        """True where the last time is so long ago that another is not too often."""
        return time.monotonic() - self._at >= max(_SECONDS, _SHARE * self._took)

    def carry(self) -> None:
        """Carry the run as its folder has it, unless that is there. Raises RunError."""
        run, before = self._run, time.monotonic()
        files = {run.name_of(p): read_file(p) for p in _all_files(run) if os.path.lexists(p)}
        texts = {name: content.decode() for name, content in files.items() if not _is_part(name)}
        # Every checkpoint has its digest in a text.
        if not run.exists() or texts == self._content:
            return
        token = secrets.token_hex(4)
        parts = {name: self._part(name, content, token) for name, content in files.items() if _is_part(name)}
        rows = texts.get(run.name_of(run.metrics), "").count("\n")
        name = f"{run.name_of(run.summary) in texts:d}-{_step(run):012d}-{rows:08d}-{token}.json"
        self._place.write(f"{self._trial}/{name}", encoded({"texts": texts, "parts": parts}))
        mine = [name, *(part["name"] for part in parts.values())]
        self._place.remove(f"{self._trial}/{old}" for old in self._old if old not in mine)
        self._content, self._mine, self._old = texts, parts, mine
        self._at = time.monotonic()
        self._took = self._at - before

    def _part(self, name: str, content: bytes, token: str) -> dict[str, str]:
        """A checkpoint as a carrying names it, which is written unless this carrier has written it before."""
        digest = sha256(content)
        known = self._mine.get(name)
        if known is not None and known["sha256"] == digest:
            return known
        part = {"name": f"{token}-{name.rpartition('/')[2]}", "sha256": digest}
        self._place.write(f"{self._trial}/{part['name']}", content)
        return part


def _candidates(place: Place, trial: str) -> Sequence[str]:
    """The names of a trial's carryings, the furthest first."""
    return sorted(filter(_NAME.fullmatch, place.listing(trial)), reverse=True)


def _read(name: str, content: bytes) -> Carrying | None:
    """The carrying that a file holds; None where it is torn."""
    try:
        return Carrying(name, opened(content, Path(name), Carried))
    except RunError:
        return None


def _parts(place: Place, trial: str, carrying: Carrying) -> dict[str, bytes] | None:
    """The contents of a carrying's checkpoints; None where one is gone, or is not what was carried."""
    found: dict[str, bytes] = {}
    for name, part in carrying.content["parts"].items():
        content = place.read(f"{trial}/{part['name']}")
        if content is None or sha256(content) != part["sha256"]:
            return None
        found[name] = content
    return found


def _is_part(name: str) -> bool:
    return name.endswith(".safetensors")


def _require_known(run: RunFolder, names: Iterable[str]) -> None:
    """Raise RunError where a name is that of no file of a run: it might lie anywhere."""
    known = {run.name_of(path) for path in _all_files(run)}
    for name in names:
        if name not in known:
            raise RunError(f"{run.path}: a run has no file {name!r}, and the address has one")


def _all_files(run: RunFolder) -> tuple[Path, ...]:
    return (*run.files(), run.progress, run.summary)


def _step(run: RunFolder) -> int:
    """The step that a run was last saved at; 0 before the first, and where it is finished."""
    return int(read_record(run.progress, Clock)["step"]) if os.path.lexists(run.progress) else 0
