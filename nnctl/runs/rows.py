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
    return [row for row in _rows(run, run.metrics) if row["event"] == "evaluation"]


def layer_rows(run: RunFolder) -> list[dict[str, Any]]:
    """The rows on a run's layers so far, none where they are not watched; see `evaluations`. Raises RunError.

    Columns: epoch, step, layer, weight_norm, gradient_norm, activation_mean, activation_deviation, saturated, dead.
    """
    return _rows(run, run.layers)


def _rows(run: RunFolder, path: Path) -> list[dict[str, Any]]:
    if not os.path.lexists(path):
        return []
    content = read_file(path)
    summary = run.finished()
    if summary is not None:
        run.require_unchanged(path, content, summary)
    return [parse_row(path, line) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]
