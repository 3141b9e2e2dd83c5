"""The options of `nnctl sweep` as overrides of the spec's sweep section, so that both are checked alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from nnctl.errors import UsageError
from nnctl.spec.yaml.flow import flow

_SETTING = re.compile(r"(?P<path>(?:\[[^\]]*\]|[^=\[])+)=(?P<value>.+)", re.DOTALL)
_WHOLE = re.compile(r"[-+]?\d+")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def grid(option: str) -> str:
    """`path=a,b,c` as an override of `sweep.grid`. Raises UsageError."""
    path, values = _split("--grid", option, "path=a,b,c")
    return f"sweep.grid.{path}=[{values}]"


def space(option: str) -> str:
    """`path=low:high`, with `:log` or `:step`, or `path={type: …}`, as an override of `sweep.space`.

    Two whole numbers give whole numbers, `high` included. Raises UsageError.
    """
    expected = "path=low:high, path=low:high:log, path=low:high:step or path={type: choice, values: […]}"
    path, text = _split("--space", option, expected)
    if text.startswith("{"):
        return f"sweep.space.{path}={text}"
    low, *rest = text.split(":")
    if len(rest) not in (1, 2) or (rest[1:] not in ([], ["log"]) and not _NUMBER.fullmatch(rest[1])):
        raise UsageError(f"--space {option}\n  expected {expected}")
    bounds = f"low: {low}, high: {rest[0]}"
    log = rest[1:] == ["log"]
    step = f", step: {rest[1]}" if rest[1:] and not log else ""
    if all(_WHOLE.fullmatch(number) for number in (low, rest[0], *(rest[1:] if step else ()))):
        law = f"type: integer, {bounds}, log: {'true' if log else 'false'}{step}"
    else:
        law = f"type: {'log_uniform' if log else 'uniform'}, {bounds}{step}"
    return f"sweep.space.{path}={{{law}}}"


def _split(name: str, option: str, expected: str) -> tuple[str, str]:
    match = _SETTING.fullmatch(option)
    if match is None:
        raise UsageError(f"{name} {option}\n  expected {expected}")
    return match["path"].strip(), match["value"].strip()


def fields(**values: object) -> Iterator[str]:
    """Fields of the section by their names, as overrides; of None none."""
    return (f"sweep.{name}={value}" for name, value in values.items() if value is not None)


def listing(options: Sequence[str] | None, *, always: bool = False) -> str | None:
    """A repeatable option's values as YAML: one alone as it is unless `always`, several as a list; None of none."""
    if not options:
        return None
    if len(options) == 1 and not always:
        return options[0]
    return f"[{', '.join(map(flow, options))}]"
