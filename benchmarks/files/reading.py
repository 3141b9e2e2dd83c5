"""The suite `reading`: tables read, against the libraries that people read them with.

Each reading is a process of its own, and its processor time counts, user and system, without imports: other work on the
machine disturbs that little. Rounds are interleaved.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from benchmarks.record import keep, machine, versions

CONTESTANTS = {"nnctl": "nnctl", "polars": "polars", "pandas": "pandas", "pyarrow": "pyarrow"}
"""Names, and the packages that must be installed."""
ROWS = 400_000
OURS = "nnctl"


def measure(rounds: int, *, quick: bool) -> list[dict[str, object]]:
    """Rows of the table: for each file its size, and each contestant's best seconds of processor and of the clock."""
    names = [name for name, package in CONTESTANTS.items() if find_spec(package)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for path, what in files(Path(folder), 2_000 if quick else ROWS):
            figures: dict[str, list[dict[str, float]]] = {name: [] for name in names}
            for _ in range(rounds):
                for name in names:
                    figures[name].append(_read_alone(name, path))
            check(what, figures)
            rows.append(
                {
                    "file": what,
                    "bytes": path.stat().st_size,
                    "processor_s": {name: min(f["processor"] for f in found) for name, found in figures.items()},
                    "clock_s": {name: min(f["clock"] for f in found) for name, found in figures.items()},
                }
            )
            path.unlink()
    return rows


def table_of(rows: list[dict[str, object]]) -> list[str]:
    """Lines of a table in Markdown: seconds of processor, and ours over each other's."""
    names = [name for name in CONTESTANTS if all(name in row["processor_s"] for row in rows)]  # type: ignore[operator]
    others = [name for name in names if name != OURS]
    lines = [
        "| file | " + " | ".join(names) + " | " + " | ".join(f"ours / {name}" for name in others) + " |",
        "|---|" + "---|" * (len(names) + len(others)),
    ]
    for row in rows:
        seconds = row["processor_s"]
        assert isinstance(seconds, dict)
        cells = [f"{seconds[name]:.2f}" for name in names]
        cells += [f"{seconds[OURS] / seconds[name]:.2f}" if seconds[name] else "–" for name in others]
        lines.append(f"| {row['file']} | {' | '.join(cells)} |")
    return lines


def files(folder: Path, rows: int) -> list[tuple[Path, str]]:
    """Files with the same numbers for everyone, and what they are."""
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as parquet

    rng = np.random.default_rng(0)
    numbers = pa.table({f"x{i}": np.round(rng.standard_normal(rows), 5) for i in range(41)})
    names = pa.array(["Berlin", "Paris", "New York", "Rio de Janeiro"])
    mixed = pa.table(
        {f"n{i}": rng.integers(0, 100_000, rows) for i in range(8)}
        | {f"x{i}": np.round(rng.standard_normal(rows), 3) for i in range(8)}
        | {f"t{i}": names.take(pa.array(rng.integers(0, 4, rows))) for i in range(4)}
        | {"day": pa.array(rng.integers(0, 20_000, rows).astype(np.int32), pa.int32()).cast(pa.date32())}
    )
    made = []
    for table, what in ((numbers, "41 columns of reals"), (mixed, "8 of whole numbers, 8 of reals, 4 of texts, dates")):
        made.append((folder / f"{len(made)}.csv", f"csv, {rows:,} rows, {what}"))
        pacsv.write_csv(table, made[-1][0])
        made.append((folder / f"{len(made)}.parquet", f"parquet, {rows:,} rows, {what}"))
        parquet.write_table(table, made[-1][0])
    return made


def _read_alone(name: str, path: Path) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.files.reading", name, str(path)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(answer.stdout)
    return found


def check(what: str, figures: dict[str, list[dict[str, float]]]) -> None:
    """Raise ValueError where contestants have not read the same."""
    found = {name: (f[0]["rows"], round(f[0]["sum"], 3)) for name, f in figures.items()}
    if len(set(found.values())) > 1:
        raise ValueError(f"{what}: rows and the sum of a column differ: {found}")


def reader(name: str) -> Callable[[Path], tuple[int, float]]:
    """(rows, the sum of the last column of reals) of a file; its package is imported here."""
    if name == OURS:
        import pyarrow.compute as pc

        from nnctl.data.tables.layout import Layout
        from nnctl.data.tables.reading import read_table

        def ours(path: Path) -> tuple[int, float]:
            table = read_table(path, Layout())
            return len(table), pc.sum(table.columns["x7"]).as_py()

        return ours
    if name == "polars":
        import polars

        def by_polars(path: Path) -> tuple[int, float]:
            read = polars.read_csv if path.suffix == ".csv" else polars.read_parquet
            frame = read(path)
            return len(frame), frame["x7"].sum()

        return by_polars
    if name == "pandas":
        import pandas

        def by_pandas(path: Path) -> tuple[int, float]:
            frame = pandas.read_csv(path) if path.suffix == ".csv" else pandas.read_parquet(path)
            return len(frame), float(frame["x7"].sum())

        return by_pandas
    import pyarrow.compute as pc
    import pyarrow.csv as pacsv
    import pyarrow.parquet as parquet

    def by_arrow(path: Path) -> tuple[int, float]:
        table = pacsv.read_csv(path) if path.suffix == ".csv" else parquet.read_table(path)
        return len(table), pc.sum(table["x7"]).as_py()

    return by_arrow


def main(arguments: Sequence[str]) -> None:
    """Measure, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks reading", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="see that everyone reads: small files, nothing kept")
    options = parser.parse_args(arguments)
    rounds = 1 if options.quick else options.rounds
    rows = measure(rounds, quick=options.quick)
    result = machine() | {"rounds": rounds, "versions": versions(CONTESTANTS.values()), "rows": rows}
    head = (
        f"Seconds of processor to read a table, best of {rounds} interleaved rounds, each in a process of its own, "
        f"{result['cores']} cores, {result['machine']}, {result['date']}."
    )
    table = "\n".join([head, "", *table_of(rows)])
    print(table)
    if not options.quick:
        keep("reading", result, table)


def _read_once(name: str, path: Path) -> None:
    read = reader(name)
    before, began = os.times(), time.perf_counter()
    rows, total = read(path)
    clock, after = time.perf_counter() - began, os.times()
    processor = after.user + after.system - before.user - before.system
    print(json.dumps({"rows": rows, "sum": total, "processor": processor, "clock": clock}))


if __name__ == "__main__":
    _read_once(sys.argv[1], Path(sys.argv[2]))
