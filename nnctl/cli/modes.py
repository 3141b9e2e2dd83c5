"""Modes of commands: an option that a mode does not read is refused by its name, and never ignored."""

from __future__ import annotations

from collections.abc import Mapping


def refuse(mode: str, options: Mapping[str, object], remedy: str) -> None:
    """Raise UsageError for the first of these options that was given: none of them says anything to `mode`.

    options: their values by their names; None, False and an empty list were not given. remedy: what to do instead.
    """
    from nnctl.errors import UsageError

    for option, value in options.items():
        if value is not None and value is not False and value != []:
            raise UsageError(f"{option}: says nothing to {mode}\n  {remedy}")
