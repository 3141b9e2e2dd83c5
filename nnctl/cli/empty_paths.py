"""Refusal of empty paths on the command line, for every command: `Path("")` would be the working folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nnctl.errors import UsageError

_PATHS = {"DIR", "FILE", "SPEC"}
"""Words of metavars of texts that may be paths, as in FILE|URL."""


def require_paths(root: Any, ctx: Any, arguments: Sequence[str]) -> None:
    """Raise UsageError where a command line has an empty word in the place of a path.

    root: the tree's group; ctx: its context.
    """
    # Most lines have no such word; what commands take is looked up for the others alone.
    if not any(word == "" or word.endswith("=") for word in arguments):
        return
    command, words = root, list(arguments)
    while words and words[0] in getattr(command, "commands", {}):
        name = words.pop(0)
        command = command.commands[name]
        ctx = command.context_class(command, info_name=name, parent=ctx)
    # What programs call has words that people have not finished.
    if command.hidden:
        return
    given, _, _ = command.make_parser(ctx).parse_args(words)
    for parameter in _of_paths(command):
        value = given.get(parameter.name)
        if "" in (value if isinstance(value, list | tuple) else [value]):
            name = next((each for each in parameter.opts if each.startswith("--")), parameter.metavar.strip("[]."))
            raise UsageError(f"{name} is empty, and a path belongs there\n  . is the working folder")


def _of_paths(command: Any) -> Iterator[Any]:
    """The parameters of a command that take paths."""
    import inspect
    from typing import get_args, get_type_hints

    hints = get_type_hints(inspect.unwrap(command.callback)) if command.callback else {}
    for parameter in command.params:
        hint = hints.get(parameter.name)
        words = set(re.findall(r"\w+", parameter.metavar or ""))
        if Path in (hint, *get_args(hint)) or words & _PATHS:
            yield parameter
