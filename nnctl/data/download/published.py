"""Data sets that are on the web: looked for on this machine, else fetched once to the user's cache."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from nnctl.errors import DataError
from nnctl.late import dataclass


def cache_folder(name: str) -> Path:
    """The folder of a data set's downloaded files; no absolute path where no home folder is known."""
    from platformdirs import user_cache_path

    return user_cache_path("nnctl") / name


def _alone(name: str) -> tuple[str, ...]:
    return (name,)


@dataclass(frozen=True)
class PublishedFiles:
    """The files of one data set.

    title: its name for people. source: its type in a spec, and the name of its folders.
    checksums: MD5 of each file with gzip undone. instead: data of the kind, as a spec writes it,
    that needs no download. packed: True where mirrors have them as .gz.
    variants: names that copies of a file may have.
    """

    title: str
    source: str
    mirrors: tuple[str, ...]
    checksums: Mapping[str, str]
    instead: str
    packed: bool = False
    variants: Callable[[str], tuple[str, ...]] = _alone

    def locate(self, given: str | None, folder: Path) -> dict[str, Path] | None:
        """The files by name, all from one folder; None where no folder has them.

        given: a path that the spec names, relative to `folder`; without one, the folder
        $NNCTL_DATA, its folder of the set's name, and the user's cache.
        Raises DataError where the given folder lacks one of them.
        """
        if given is not None:
            from nnctl.data.paths import existing_folder

            place = existing_folder(given, folder)
            files = self._files_in(place)
            missing = [name for name in self.checksums if name not in files]
            if missing:
                raise DataError(f"{place} lacks {', '.join(missing)}{' (with or without .gz)' if self.packed else ''}")
            return files
        for place in self._places():
            files = self._files_in(place)
            if len(files) == len(self.checksums):
                return files
        return None

    def where(self, given: str | None, folder: Path) -> str:
        """The folder, or the command that fetches."""
        files = self.locate(given, folder)
        if files:
            return str(next(iter(files.values())).parent)
        return f"not on this machine: nnctl data fetch {self.source}"

    def fetch(self, given: str | None, folder: Path) -> dict[str, Path]:
        """The files by name, downloaded to the user's cache unless they are there.

        Raises DataError: what was tried, what can be done.
        """
        from nnctl.data.download.mirrors import RemoteFile, fetch

        if files := self.locate(given, folder):
            return files
        if not cache_folder(self.source).is_absolute():
            raise DataError(
                f"{self.title} is not on this machine, and there is no home folder to fetch it to\n"
                "  set HOME, or NNCTL_DATA to a folder that has it"
            )
        remote = {self._remote(name): md5 for name, md5 in self.checksums.items()}
        try:
            fetch([RemoteFile(*file) for file in remote.items()], self.mirrors, cache_folder(self.source), self.title)
        except DataError as error:
            looked = "\n".join(f"  looked in {place}" for place in self._places())
            raise DataError(
                f"{self.title} is not on this machine: {error}\n{looked}\n"
                f"  with no network, put {', '.join(remote)} in a folder,\n"
                f"  and set NNCTL_DATA to it or write data: {{type: {self.source}, path: FOLDER}}; "
                f"data: {self.instead} needs no download"
            ) from error
        files = self.locate(given, folder)
        if files is None:
            raise DataError(f"{self.title} was fetched to {cache_folder(self.source)} and is no longer there")
        return files

    def _remote(self, name: str) -> str:
        return f"{name}.gz" if self.packed else name

    def _places(self) -> list[Path]:
        given = os.environ.get("NNCTL_DATA")
        # An empty variable is an unset one, by the shell's custom.
        fetched = cache_folder(self.source)
        places = [Path(given) / self.source, Path(given)] if given else []
        return [*places, fetched] if fetched.is_absolute() else places

    def _files_in(self, folder: Path) -> dict[str, Path]:
        """The files that are there; of packed ones also plain copies."""
        present: dict[str, Path] = {}
        endings = ("", ".gz") if self.packed else ("",)
        for name in self.checksums:
            names = [f"{variant}{ending}" for variant in self.variants(name) for ending in endings]
            there = [folder / variant for variant in names if (folder / variant).is_file()]
            if there:
                present[name] = there[0]
        return present
