"""Addresses of places that hold files and are no folders here, as `s3://bucket/name`: fsspec reads and writes them.

Of such a place nothing is asked but to take a whole file under a name, to give it back, to list names and to remove
them: no renames, no locks, no appending. Even a file may be found torn that was being written, and readers see that
by checksums. What an address holds of secrets is not shown.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field
from functools import partial
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from nnctl.errors import RunError, UsageError
from nnctl.late import dataclass

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")

_ANSWER = 30.0
"""Seconds in which a place answers that is looked at for the first time."""
_BATCH = 500
"""Files that are read at once, where the place can do that."""
_COLLAPSED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")
_PROBE = ".probe-"
_WAITS = (0.2, 0.6, 1.8)
"""Seconds before what has failed is tried again."""
_LASTING = (FileNotFoundError, PermissionError, NotImplementedError, TypeError, ValueError)
"""Errors that another try does not change."""


def is_address(text: str) -> bool:
    """True for what is an address and no path."""
    return "://" in text


def refuse_address(path: Path) -> None:
    """Raise UsageError where an address stands in the place of a folder here: as a path it has lost slashes."""
    found = _COLLAPSED.fullmatch(str(path))
    if found is not None and not path.exists():
        slashes = "///" if found[1] in ("file", "local") else "//"
        name = Address(f"{found[1]}:{slashes}{found[2]}").name
        raise UsageError(
            f"{name}: is an address, and this takes a folder here\n"
            f"  a sweep is copied from there by nnctl sweep fetch {name} DIR"
        )


def require_slashes(text: str) -> None:
    """Raise UsageError where an address lacks slashes, as `file:/shared/rates` does: it would be taken for a path."""
    found = _COLLAPSED.fullmatch(text)
    if found is not None and not is_address(text) and not Path(text).exists():
        scheme = found[1]
        slashes = "///" if scheme in ("file", "local") else "//"
        raise UsageError(f"{text}: looks like an address, and lacks slashes\n  {scheme}:{slashes}{found[2]}")


@dataclass(frozen=True)
class Address:
    """An address as fsspec takes it; `str` and `repr` are without secrets, a pickle has them."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The address as people may see it: without a password, and without what follows a question mark."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return f"{self.url.partition('://')[0]}://…"
        user, at, host = parts.netloc.rpartition("@")
        return f"{parts.scheme}://{user.partition(':')[0]}{at}{host}{parts.path}".rstrip("/")

    def place(self) -> Place:
        """The place, as it may be used, not yet looked at. Raises UsageError where no package here can."""
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise UsageError(
                f"{self.name} needs fsspec, which is not installed\n  pip install 'nnctl[fsspec]'"
            ) from error
        if "::" in self.url:
            raise UsageError(f"{self.name}: addresses are not chained here\n  give the last of them alone")
        scheme = self.url.partition("://")[0]
        if scheme == "memory":
            raise UsageError(
                f"{self.name}: is another place in every process, and gone with it\n"
                "  name one that all of them reach, as file:///shared/name"
            )
        try:
            system, root = url_to_fs(self.url)
        except ImportError as error:
            # fsspec's own words name the package.
            raise UsageError(f"{self.name} needs a package for {scheme}://: {self.harmless(error)}") from error
        except Exception as error:
            if "rotocol not known" in str(error):
                raise UsageError(
                    f"{self.name}: fsspec knows no addresses of {scheme}://\n  for example s3://bucket/name"
                ) from error
            raise RunError(f"{self.name}: cannot be opened: {self.harmless(error)}") from error
        return Place(self, system, str(root).rstrip("/"))

    def harmless(self, error: BaseException) -> str:
        """The first line of an error's words, without the secrets of the address."""
        words = (str(error).strip() or type(error).__name__).splitlines()[0].replace(self.url, self.name)
        for secret in self._secrets:
            words = words.replace(secret, "***")
        return words

    @property
    def _secrets(self) -> list[str]:
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return [self.url]
        values = [value for pair in parts.query.split("&") for value in (pair, pair.partition("=")[2])]
        return [secret for secret in (parts.password, parts.query, *values) if secret]


@dataclass(frozen=True)
class Place:
    """Files at an address, by names below it with slashes. Every method raises RunError."""

    address: Address
    system: AbstractFileSystem
    root: str

    def require_usable(self, *, new: bool) -> None:
        """Raise RunError where the place does not answer, or is not to be read; with `new`, or to be written."""
        if not new:
            self._answered(self.names)
            return
        name, content = f"{_PROBE}{secrets.token_hex(8)}", secrets.token_bytes(8)

        def probe() -> bool:
            self.write(name, content)
            try:
                return self.read(name) == content and name in self.names()
            finally:
                self.remove([name])

        if not self._answered(probe):
            raise RunError(f"{self.address}: does not give back what was written there\n  choose another place")

    def names(self) -> list[str]:
        """The names of all files there, sorted; of none where there is nothing."""

        nothing: list[str] = []

        def find() -> list[str]:
            self.system.invalidate_cache()
            return [str(path).removeprefix(self.root).lstrip("/") for path in self.system.find(self.root)]

        return sorted(self._tried("listed", find, nothing))

    def listing(self, folder: str) -> list[str]:
        """The last parts of the names in a folder, sorted."""

        nothing: list[str] = []

        def ls() -> list[str]:
            self.system.invalidate_cache()
            return [str(path).rpartition("/")[2] for path in self.system.ls(self._path(folder), detail=False)]

        return sorted(self._tried("listed", ls, nothing))

    def read(self, name: str) -> bytes | None:
        """The content of a file; None where it is not there, or no more."""
        return self._tried("read", lambda: bytes(self.system.cat_file(self._path(name))), None)

    def read_all(self, names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of files by their names; none of those that are not there any more."""
        for first in range(0, len(names), _BATCH):
            wanted = {self._path(name): name for name in names[first : first + _BATCH]}
            found = self.system.cat(list(wanted), on_error="return")
            for path, content in found.items():
                name = wanted[str(path)]
                # What could not be read among many is asked for alone, and says why.
                alone = self.read(name) if isinstance(content, Exception) else bytes(content)
                if alone is not None:
                    yield name, alone

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole, in the place of what has its name."""
        path = self._path(name)

        def pipe() -> None:
            try:
                self.system.pipe_file(path, content)
            except FileNotFoundError:
                # Of a store of objects it is the bucket that is not there, which nobody makes by the way.
                for folder in (self.root, path.rpartition("/")[0]):
                    if "/" in folder:
                        with suppress(FileExistsError):
                            self.system.mkdir(folder, create_parents=False)
                self.system.pipe_file(path, content)

        self._tried("written", pipe)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, those that are there."""
        for name in names:
            self._tried("removed", partial(self.system.rm_file, self._path(name)), None)

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _tried(self, done: str, ask: Callable[[], T], absent: T | EllipsisType = ...) -> T:
        """The answer of `ask`, `absent` where there is no such file; what may pass by is tried again.

        Whatever else the package of the place raises is a RunError: the place cannot be `done`.
        """
        for wait in (*_WAITS, None):
            try:
                return ask()
            except Exception as error:
                if isinstance(error, FileNotFoundError) and not isinstance(absent, EllipsisType):
                    return absent
                if wait is None or isinstance(error, _LASTING) or _lacks_credentials(error):
                    raise RunError(f"{self.address}: cannot be {done}: {self._why(error)}") from error
                time.sleep(wait)
        raise AssertionError

    def _why(self, error: Exception) -> str:
        words = self.address.harmless(error)
        if _lacks_credentials(error):
            package = type(self.system).__module__.partition(".")[0]
            return f"{words}\n  give credentials in the way of {package}: its files, or variables of the environment"
        if isinstance(error, PermissionError):
            return f"{words}\n  it must be open to you, for reading and writing"
        if isinstance(error, FileNotFoundError):
            return f"there is no such place: {words}\n  what it lies in, a bucket or a folder, has to be there"
        return f"{type(error).__name__}: {words}"

    def _answered(self, ask: Callable[[], T]) -> T:
        """The answer of `ask`. Raises RunError where it takes too long: packages may try for many minutes."""
        answers: list[T] = []
        errors: list[RunError] = []

        def run() -> None:
            try:
                answers.append(ask())
            except RunError as error:
                errors.append(error)

        asking = threading.Thread(target=run, daemon=True)
        asking.start()
        asking.join(_ANSWER)
        if errors:
            raise errors[0]
        if not answers:
            raise RunError(f"{self.address}: does not answer within {_ANSWER:.0f} s\n  can this machine reach it?")
        return answers[0]


def _lacks_credentials(error: Exception) -> bool:
    """True where a package says, each in its own class, that it has no credentials."""
    return "credential" in f"{type(error).__name__} {error}".lower()
