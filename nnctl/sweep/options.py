"""The options of `nnctl sweep` as overrides of the spec's sweep section, so that both are checked alike."""

from __future__ import annotations

import re

from nnctl.errors import UsageError

_SETTING = re.compile(r"(?P<path>(?:\[[^\]]*\]|[^=\[])+)=(?P<value>.+)", re.DOTALL)
_WHOLE = re.compile(r"[-+]?\d+")


def grid(option: str) -> str:
    """`path=a,b,c` as an override of `sweep.grid`. Raises UsageError."""
    path, values = _split("--grid", option, "path=a,b,c")
    return f"sweep.grid.{path}=[{values}]"


def space(option: str) -> str:
    """`path=low:high` or `path=low:high:log` as an override of `sweep.random`.

    Two whole numbers give whole numbers, `high` included. Raises UsageError.
    """
    path, text = _split("--space", option, "path=low:high or path=low:high:log")
    low, *rest = text.split(":")
    if len(rest) not in (1, 2) or rest[1:] not in ([], ["log"]):
        raise UsageError(f"--space {option}\n  expected path=low:high or path=low:high:log")
    bounds = f"low: {low}, high: {rest[0]}"
    if _WHOLE.fullmatch(low) and _WHOLE.fullmatch(rest[0]):
        law = f"type: integer, {bounds}, log: {'true' if rest[1:] else 'false'}"
    else:
        law = f"type: {'log_uniform' if rest[1:] else 'uniform'}, {bounds}"
    return f"sweep.random.{path}={{{law}}}"


def _split(name: str, option: str, expected: str) -> tuple[str, str]:
    match = _SETTING.fullmatch(option)
    if match is None:
        raise UsageError(f"{name} {option}\n  expected {expected}")
    return match["path"].strip(), match["value"].strip()
