"""The contents of a run folder, to be compared with another's: everything but what a clock says."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def contents(folder: str | Path) -> dict[str, Any]:
    """All that lies in a run folder, without what a clock says: the name of each entry, and its content."""
    found: dict[str, Any] = {}
    for path in sorted(Path(folder).rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            found[name] = "folder"
        elif path.suffix == ".safetensors" or path.parent.name == "checkpoints":
            found[name] = path.read_bytes()
        elif path.suffix == ".jsonl":
            found[name] = [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
        elif path.suffix == ".json":
            found[name] = _timeless(json.loads(path.read_text()))
        else:
            found[name] = path.read_bytes()
    return found


def _timeless(content: Any) -> Any:
    if not isinstance(content, Mapping):
        return content
    of_the_clock = (
        "seconds",
        "started",
        "sha256",
        "metrics.jsonl",
        "pretraining.jsonl",
        "origin.json",
        "progress.json",
    )
    return {key: _timeless(value) for key, value in content.items() if key not in of_the_clock}
