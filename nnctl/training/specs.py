"""Specs as a command is given them: a file, the spec of a run, or a text on stdin."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from nnctl.errors import Diagnostic, SpecError
from nnctl.runs.find import find, is_run, runs_meant
from nnctl.runs.folder import RunFolder
from nnctl.spec.load import Loaded, load_source, load_spec
from nnctl.spec.yaml.source_text import MAX_BYTES, SourceText, decode

STDIN = Path("-")
"""The name of stdin on a command line."""


def open_spec(given: Path, overrides: Iterable[str] = ()) -> Loaded:
    """The spec that a command line names, with `path=value` overrides applied.

    given: a file, a run as `find` takes it, or `-`. Paths in a run's spec are
    relative to where that spec was written, those of stdin to the working folder. Raises SpecError, RunError.
    """
    if given == STDIN:
        return load_source(decode(sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>"), Path(), "stdin", overrides)
    if given.is_dir() and is_run(given):
        folder = find(given)
        source = SourceText(folder.read_spec(), str(folder.spec))
        return load_source(source, Path(folder.read_origin()["folder"]), folder.path.name, overrides)
    # Of a folder with specs in it, what reads specs names them.
    if given.is_dir() and not any(given.glob("*.y*ml")) and (meant := runs_meant(given)):
        raise SpecError([Diagnostic(f"{given} is a folder", expected="a YAML file or a run", hint=meant)])
    folder = RunFolder(given.parent)
    if given.name == folder.spec.name and folder.origin.is_file():
        # Perhaps edited, to train anew: a spec like any but for where its paths begin.
        return replace(load_spec(given, overrides), folder=Path(folder.read_origin()["folder"]))
    return load_spec(given, overrides)


def names_spec(word: str) -> bool:
    """True where a word of a command line names a spec, not a component: by its look, or because it is there."""
    path = Path(word)
    looks = path == STDIN or path.suffix.lower() in (".yaml", ".yml") or any(c in word for c in (os.sep, "/"))
    return looks or path.is_file() or is_run(path)
