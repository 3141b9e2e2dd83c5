"""The command line as a tree of commands, as completion scripts see it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from nnctl.late import dataclass


class Kind(StrEnum):
    """The kind of value that an option or an argument takes."""

    FLAG = "flag"
    FREE = "free"
    WORDS = "words"
    SPEC = "spec"
    FILE = "file"
    DIRECTORY = "directory"
    SETTING = "setting"
    PATH = "path"
    BACKEND = "backend"
    SOURCE = "source"
    AUGMENTATION = "augmentation"
    COMPONENT = "component"
    PRUNER = "pruner"
    SAMPLER = "sampler"


DYNAMIC = (
    Kind.SETTING, Kind.PATH, Kind.BACKEND, Kind.SOURCE, Kind.AUGMENTATION, Kind.COMPONENT, Kind.PRUNER, Kind.SAMPLER,
)  # fmt: skip
"""Kinds whose values `nnctl complete` prints."""


@dataclass(frozen=True)
class ValueSet:
    """The values that an option or an argument takes; `words` where `kind` is WORDS.

    also: a dynamic kind whose values it takes as well.
    """

    kind: Kind
    words: tuple[str, ...] = ()
    also: Kind | None = None


@dataclass(frozen=True)
class Option:
    """An option with all its spellings."""

    names: tuple[str, ...]
    help: str
    value: ValueSet
    repeatable: bool


@dataclass(frozen=True)
class Argument:
    """A positional argument; `many` where it takes the rest of the line."""

    name: str
    value: ValueSet
    many: bool


@dataclass(frozen=True)
class Command:
    """A command, or a tree of them. `path` is the words that call it, without `nnctl`."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    commands: tuple[Command, ...]

    def walk(self) -> Iterator[Command]:
        """This command and all below it."""
        yield self
        for command in self.commands:
            yield from command.walk()
