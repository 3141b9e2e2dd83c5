"""Specs as a command is given them: a file, the spec of a run, or a text on stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nnctl.errors import RunError
from nnctl.runs.folder import RunFolder, find
from nnctl.spec.load import Loaded, load_source, load_spec
from nnctl.spec.yaml.source_text import decode

STDIN = Path("-")
"""The name of stdin on a command line."""


def open_spec(given: Path, overrides: Iterable[str] = ()) -> Loaded:
    """The spec that a command line names, with `path=value` overrides applied.

    given: a file, a run folder or a folder of numbered runs (its latest), or `-`. Paths in a run's spec are
    relative to where that spec was written, those of stdin to the working folder. Raises SpecError, RunError.
    """
    if given == STDIN:
        return load_source(decode(sys.stdin.buffer.read(), "<stdin>"), Path(), "stdin", overrides)
    folder = _run_folder(given)
    if folder is None:
        return load_spec(given, overrides)
    return replace(load_spec(folder.spec, overrides), folder=Path(folder.read_origin()["folder"]))


def is_run(given: Path) -> bool:
    """True where a path is a run folder, or a folder of numbered runs."""
    return given.is_dir() and _run_folder(given) is not None


def names_spec(word: str) -> bool:
    """True where a word of a command line names a spec, not a component: by its look, or because it is there."""
    path = Path(word)
    looks = path == STDIN or path.suffix.lower() in (".yaml", ".yml") or any(c in word for c in (os.sep, "/"))
    return looks or path.is_file() or _run_folder(path) is not None


def _run_folder(given: Path) -> RunFolder | None:
    """The run whose spec is meant; None where an ordinary file is."""
    if given.is_dir():
        try:
            return find(given)
        except RunError:
            # That a folder is no spec is told by what reads specs.
            return None
    folder = RunFolder(given.parent)
    return folder if given.name == folder.spec.name and folder.origin.is_file() else None
