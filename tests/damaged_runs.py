"""Damage to files of runs and sweeps: bytes flipped, cut, JSON fields dropped or of other types, rows edited.

Every mutant is a label and the new bytes of one file; what it was made from is unchanged.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import safetensors.numpy

from nnctl.runs.sealed import sealed

OTHERS: tuple[Any, ...] = (None, True, -1, 1.5, "x", [], {"a": None})
"""Values that a field is given, whatever it was."""


def flipped(content: bytes, every: int, rng: random.Random) -> Iterator[tuple[str, bytes]]:
    """One bit of every so-many-th byte, from a random one on; then cuts."""
    for position in range(rng.randrange(every), len(content), every):
        changed = bytearray(content)
        bit = rng.randrange(8)
        changed[position] ^= 1 << bit
        yield f"bit {bit} of byte {position}", bytes(changed)
    for length in sorted({0, 1, len(content) // 2, len(content) - 1}):
        yield f"cut to {length}", content[:length]
    yield "twice", content + content
    yield "noise", rng.randbytes(len(content))


def edited(content: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """JSON with one field dropped, or with another value, down to a depth; and with one more."""
    for path in _paths(content, depth):
        yield f"no {_words(path)}", _changed(content, path, None, drop=True)
        for other in OTHERS:
            if other != _at(content, path):
                yield f"{_words(path)} is {other!r}", _changed(content, path, other)
    if isinstance(content, dict):
        yield "one more field", {**content, "more": 1}
    yield from ((f"all is {other!r}", other) for other in OTHERS)


def records(text: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """Edits of a JSON file under its old checksum, and, but for those of the format, under a new one."""
    content = json.loads(text)
    for label, other in edited(content, depth):
        yield label, json.dumps(other).encode()
    body = {key: value for key, value in content.items() if key not in ("format", "sha256")}
    for label, other in edited(body, depth):
        if isinstance(other, dict):
            yield f"sealed anew: {label}", json.dumps(sealed(other)).encode()


def headers(content: bytes, depth: int) -> Iterator[tuple[str, bytes]]:
    """Edits of a checkpoint's header, under its old checksum and under a new one."""
    length = int.from_bytes(content[:8], "little")
    text = json.loads(content[8 : 8 + length])["__metadata__"]["nnctl"]
    tensors = {name: np.array(array) for name, array in safetensors.numpy.load(content).items()}
    for label, changed in records(text.encode(), depth):
        yield label, safetensors.numpy.save(tensors, metadata={"nnctl": changed.decode()})


def rows(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Rows dropped, doubled, swapped, edited."""
    lines = content.splitlines(keepends=True)
    for index, line in enumerate(lines):
        yield f"no row {index}", b"".join(lines[:index] + lines[index + 1 :])
        yield f"row {index} twice", b"".join([*lines[: index + 1], *lines[index:]])
        for label, other in edited(json.loads(line), 1):
            text = json.dumps(other).encode() + b"\n"
            yield f"row {index}: {label}", b"".join([*lines[:index], text, *lines[index + 1 :]])
    yield "rows reversed", b"".join(reversed(lines))


def _paths(content: Any, depth: int) -> Iterator[tuple[str | int, ...]]:
    if depth == 0 or not isinstance(content, dict | list):
        return
    items = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in items:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(value, depth - 1))


def _at(content: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        content = content[key]
    return content


def _changed(content: Any, path: tuple[str | int, ...], value: Any, *, drop: bool = False) -> Any:
    content = copy.deepcopy(content)
    inner = _at(content, path[:-1])
    if drop:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return content


def _words(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))
