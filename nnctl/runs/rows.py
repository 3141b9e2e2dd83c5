"""Rows of a run's metrics as they lie in its folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nnctl.errors import RunError
from nnctl.runs.durable import read_file
from nnctl.runs.folder import RunFolder
from nnctl.runs.records import Row
from nnctl.runs.sealed import misfit


def parse_row(path: Path, line: bytes) -> dict[str, Any]:
    """The row in a line of a metrics file. Raises RunError where it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: a row is not JSON: {error}\n  restore the file from a copy") from error
    if problem := misfit(row, Row):
        raise RunError(f"{path}: a row is not one of the metrics: {problem}\n  restore the file from a copy")
    return dict(row)


def evaluations(run: RunFolder) -> list[dict[str, Any]]:
    """The rows of a run's evaluations so far; of a finished run, as they were when it finished. Raises RunError."""
    if not os.path.lexists(run.metrics):
        return []
    content = read_file(run.metrics)
    summary = run.finished()
    if summary is not None:
        run.require_unchanged(run.metrics, content, summary)
    lines = [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
    return [row for line in lines if (row := parse_row(run.metrics, line))["event"] == "evaluation"]
