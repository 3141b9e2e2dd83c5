"""The formats that a run's net is exported to, by the ending of the file.

Another format is a module with a class that does what `Format` says, and a line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from nnctl.errors import UsageError
from nnctl.inference.opened import SavedRun
from nnctl.late import dataclass
from nnctl.screen.characters import word


@dataclass(frozen=True)
class Options:
    """Options of the command as they were given; None where one was not.

    check: whether what was exported is run on rows of the run's data, and held against the net's own answers.
    layout: the word for whose names, shapes and order weights have.
    encoded: whether a net of tables or series takes the inputs that training made of these, in place of making them.
    """

    check: bool | None = None
    layout: str | None = None
    encoded: bool | None = None

    def given(self) -> tuple[str, ...]:
        """Names of the options that were given."""
        return tuple(name for name, value in vars(self).items() if value is not None)


@dataclass(frozen=True)
class Exported:
    """The content of a file, what the command tells of it in rows of equal keys, and sentences on it.

    beside: contents of files beside it, by what stands in their names for its ending.
    """

    content: bytes
    rows: Sequence[Mapping[str, Any]]
    notes: Sequence[str] = field(default=())
    beside: Mapping[str, bytes] = field(default_factory=dict)


class Format(Protocol):
    """A format of files. words: what such a file is. options: names of the `Options` that it understands."""

    words: str
    options: tuple[str, ...]

    def export(self, saved: SavedRun, options: Options) -> Exported:
        """The file of a run's net. Raises UsageError where the format cannot say what the net does."""


FORMATS: Mapping[str, str] = {
    ".onnx": "nnctl.exchange.onnx.format:Onnx",
    ".safetensors": "nnctl.exchange.weights_file:WeightsOfNet",
    ".py": "nnctl.exchange.numpy_file.format:NumpyFile",
}
"""Module and class of each format by its ending, loaded when a file is to have it."""


def format_of(path: Path) -> Format:
    """The format by the ending of a path. Raises UsageError where there is none."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise UsageError(
            f"{word(path.name)}: the format goes by the ending, and of this one there is none\n"
            f"  expected {' or '.join(FORMATS)}"
        )
    module, _, name = found.partition(":")
    made: Format = getattr(import_module(module), name)()
    return made
