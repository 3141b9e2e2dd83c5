"""Sealed JSON: the records of runs and sweeps, each with the version of its format and a checksum over all of it.

    {"format": 2, …, "sha256": "…"}

A record is read as strictly as a spec: its version first, then the checksum, then
every field by its type. Whoever holds one that was read can rely on its fields.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nnctl.errors import RunError
from nnctl.process.variables import NO_PLUGINS, variables
from nnctl.runs.durable import read_file, write_durably

if TYPE_CHECKING:
    from nnctl.runs.records import Record

FORMAT = 2
"""The version of the format of runs and sweeps, the only one that is read."""
_FORMAT, _SEAL = "format", "sha256"


def sha256(content: bytes) -> str:
    """The digest of a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def sealed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its format and its checksum."""
    whole = {_FORMAT: FORMAT, **content}
    return {**whole, _SEAL: digest(whole)}


def digest(content: Mapping[str, Any]) -> str:
    """The digest of JSON-able content, whatever the order of its keys."""
    text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return sha256(text.encode())


def encoded(content: Mapping[str, Any]) -> bytes:
    """The bytes of a record's file."""
    text = json.dumps(sealed(content), indent=2, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode()


def write_record(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a record's file, durably. Raises RunError."""
    write_durably(path, encoded(content))


def read_record(path: Path, model: type[Record]) -> dict[str, Any]:
    """The content of a record, without format and checksum. Raises RunError where it is not whole."""
    return opened(read_file(path), path, model)


def opened(text: bytes | str, path: Path, model: type[Record], remedy: str = "") -> dict[str, Any]:
    """The content of a record's text. path: the file that messages name; remedy: the model's if empty.

    Raises RunError.
    """
    remedy = remedy or model.remedy
    try:
        content = json.loads(text)
        if not isinstance(content, dict):
            raise ValueError("expected an object")
        version, seal = content.pop(_FORMAT, None), content.pop(_SEAL, None)
        whole = seal == digest({_FORMAT: version, **content})
    except (ValueError, RecursionError) as error:
        raise damaged(path, f"it is not the JSON that was written: {error}", remedy) from error
    # The first format had no checksum.
    if version != FORMAT and (whole or seal is None):
        raise RunError(_other_format(path, version))
    if not whole:
        raise damaged(path, "its checksum is not that of its content", remedy)
    if problem := misfit(content, model):
        raise damaged(path, problem, remedy)
    return content


def misfit(content: Any, model: Any) -> str:
    """Words on the first field that is missing, unknown or of another type; empty where all are as they should be."""
    from pydantic import ValidationError

    try:
        # From text, where an object may stand for a class and a list for nothing but a list.
        _adapter(model).validate_json(json.dumps(content), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"]))
        return f"{place}: {first['msg'].lower()}" if place else first["msg"].lower()
    return ""


def damaged(path: Path, why: str, remedy: str) -> RunError:
    """The error for a file that is not what was written."""
    return RunError(f"{path}: is damaged or was edited: {why}\n  put it back from a copy, or {remedy}")


@functools.cache
def _adapter(model: Any) -> Any:
    from pydantic import TypeAdapter

    with variables(NO_PLUGINS):
        return TypeAdapter(model)


def _other_format(path: Path, version: object) -> str:
    age = "a newer" if isinstance(version, int) and version > FORMAT else "an older"
    return (
        f"{path}: was written by {age} version of nnctl: this one reads format {FORMAT} alone\n"
        f"  train it anew from its spec; nothing of it was changed"
    )
