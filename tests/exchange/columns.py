"""A run on a table with every kind of column, and rows that are not of its table."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Any

import numpy as np

import nnctl

COLUMNS: dict[str, Any] = {
    "age": {"type": "number", "missing": "median", "flag": True},
    "income": {"type": "number", "scale": "min_max", "missing": 1000},
    "size": {"type": "number", "decimal": ",", "unit": "m", "scale": "none"},
    "plan": {"type": "category", "embedding": 2, "least": 2, "unseen": "other", "missing": "category"},
    "country": {"type": "category", "unseen": "other"},
    "floor": {"type": "category", "missing": "category"},
    "door": {"type": "category", "unseen": "other", "least": 9},
    "signed": {"type": "date", "parts": ["elapsed", "year", "month", "weekday", "yearday"], "cyclic": "one_hot"},
    "seen": {"type": "date", "format": "%d.%m.%Y %H:%M", "parts": ["day", "hour", "minute"], "missing": "median",
             "flag": True},
    "order": {"type": "date", "parts": []},
}  # fmt: skip


def rows_of(count: int, seed: int = 0) -> dict[str, list[Any]]:
    """Rows as a user has them: numbers, texts and dates, None where one is missing that may be."""
    rng = np.random.default_rng(seed)
    start = datetime.datetime(2019, 12, 30)
    days = [start + datetime.timedelta(days=int(day)) for day in rng.integers(0, 1500, count)]
    times = [day + datetime.timedelta(minutes=int(minute)) for day, minute in zip(days, rng.integers(0, 1440, count))]
    gap = rng.random((3, count)) < 0.2
    return {
        "age": [None if g else round(float(x), 1) for g, x in zip(gap[0], rng.normal(40, 9, count))],
        "income": [None if g else round(float(x), 2) for g, x in zip(gap[1], rng.normal(3e3, 900, count))],
        "size": [round(float(x), 3) for x in rng.normal(1.7, 0.1, count)],
        "plan": [None if g else p for g, p in zip(gap[2], rng.choice(["basic", 'über, "q"', "pro"], count))],
        "country": rng.choice(["DE", "FR", "IT"], count).tolist(),
        "floor": [None if g else f"{f:02}" for g, f in zip(gap[0], rng.integers(0, 4, count))],
        "door": rng.integers(1, 9, count).astype(str).tolist(),
        "signed": [day.date().isoformat() for day in days],
        "seen": [None if g else time.strftime("%d.%m.%Y %H:%M") for g, time in zip(gap[1], times)],
        "order": [day.date().isoformat() for day in days],
    }  # fmt: skip


def table_run(folder: Path, **changed: Any) -> Path:
    """The folder of a run on 80 rows. changed: fields of its spec."""
    rows = rows_of(80)
    written = {**rows, "size": [f"{size:.3f} m".replace(".", ",") for size in rows["size"]]}
    # A plan that comes once is another.
    written["plan"][3] = "rare"
    written["price"] = [str(1000 + 10 * i) for i in range(80)]
    with (folder / "table.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(written)
        writer.writerows(
            [["" if cell is None else cell for cell in row] for row in zip(*written.values(), strict=True)]
        )
    spec = {
        "data": {
            "type": "table",
            "path": str(folder / "table.csv"),
            "target": "price",
            "target_type": "values",
            "target_transforms": ["standardize"],
            "columns": COLUMNS,
            "test": 20,
        },
        "layers": [{"type": "dense", "units": 5, "activation": "relu"}, {"type": "dense", "units": 1}],
        "cost": "mse",
        "backend": "numpy",
        "schedule": {"epochs": 2, "batch_size": 20},
        **changed,
    }
    list(nnctl.train(spec, out=folder / "run"))
    return folder / "run"
