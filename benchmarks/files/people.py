"""Three lines from a table to predictions on another, beside scikit-learn's pipeline on the same rows."""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.files.people_tables import TABLES, PeoplesTable
from benchmarks.record import keep, machine, versions

DIVISIONS = 10
"""Times that each table is divided into rows to learn from and new ones."""
_NEW = 0.25
_ITERATIONS = 2_000
"""Passes after which scikit-learn gives up; by default 200, with a warning on some of these."""


@dataclass(frozen=True)
class Comparison:
    """Accuracy, or R² where targets are amounts, on the new rows of each division."""

    table: str
    rows: int
    measure: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def difference(self) -> float:
        """The mean of ours minus theirs."""
        return float(np.mean(np.subtract(self.ours, self.theirs)))

    @property
    def error(self) -> float:
        """The standard error of the difference over divisions, as if these were independent."""
        return float(np.std(np.subtract(self.ours, self.theirs), ddof=1) / len(self.ours) ** 0.5)

    @property
    def row(self) -> dict[str, Any]:
        """The comparison as a row of the results."""
        return asdict(self) | {"difference": self.difference, "error": self.error}


def compare(name: str, divisions: int = DIVISIONS) -> Comparison:
    """The comparison on one of `TABLES`."""
    table = TABLES[name]()
    splitter: Any = StratifiedShuffleSplit if table.labelled else ShuffleSplit
    targets = np.array(table.columns[table.target])
    ours, theirs = [], []
    for train, new in splitter(divisions, test_size=_NEW, random_state=0).split(targets, targets):
        score = accuracy_score if table.labelled else r2_score
        ours.append(
            float(score(targets[new].astype(str) if table.labelled else targets[new], _ours(table, train, new)))
        )
        theirs.append(float(score(targets[new], _theirs(table, train, new))))
    measure = "accuracy" if table.labelled else "R²"
    return Comparison(name, len(table), measure, tuple(ours), tuple(theirs))


def _ours(table: PeoplesTable, train: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[Any]:
    """The predictions for new rows, by three lines. The new rows are the test, so the spec holds out none."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "known.csv", table, train)
        _write(Path(folder) / "new.csv", table, new)
        _run(folder, "init", "known.csv", "--target", table.target, "--out", "known.yaml")
        _run(folder, "train", "known.yaml", "--set", "data.test=0", "--quiet")
        _run(folder, "predict", "runs/known", "new.csv", "--out", "answers.csv")
        with (Path(folder) / "answers.csv").open(newline="", encoding="utf-8") as file:
            answers = list(csv.DictReader(file))
    column = "prediction" if table.labelled else table.target
    values = [row[column] for row in answers]
    return np.array(values) if table.labelled else np.array(values, dtype=float)


def _theirs(table: PeoplesTable, train: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[Any]:
    """The predictions of scikit-learn's net with its defaults but for the iterations, columns chosen by hand."""
    inputs = (*table.numbers, *table.categories)
    cells = np.array([table.columns[name] for name in inputs], dtype=object).T
    cells[:, : len(table.numbers)] = cells[:, : len(table.numbers)].astype(float)
    targets = np.array(table.columns[table.target])
    places = list(range(len(inputs)))
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    categories = make_pipeline(
        SimpleImputer(missing_values=None, strategy="constant", fill_value="missing"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    columns = ColumnTransformer(
        [("numbers", numbers, places[: len(table.numbers)]), ("categories", categories, places[len(table.numbers) :])]
    )
    kind = MLPClassifier if table.labelled else MLPRegressor
    net = kind(max_iter=_ITERATIONS, random_state=0)
    pipeline = make_pipeline(columns, net).fit(cells[train], targets[train])
    return np.asarray(pipeline.predict(cells[new]))


def _write(path: Path, table: PeoplesTable, rows: NDArray[np.int64]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table.columns)
        writer.writerows([["" if c[i] is None else c[i] for c in table.columns.values()] for i in rows])


def _run(folder: str, *arguments: str) -> None:
    line = [sys.executable, "-m", "nnctl", *arguments]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"nnctl {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")


def lines_of(comparisons: Sequence[Comparison]) -> list[str]:
    """The comparisons as a table in Markdown."""
    head = [
        "| table | rows | measure | nnctl | scikit-learn | difference | its standard error |",
        "|---|---|---|---|---|---|---|",
    ]
    rows = [
        f"| {c.table} | {c.rows:,} | {c.measure} | {np.mean(c.ours):.4f} | {np.mean(c.theirs):.4f} "
        f"| {c.difference:+.4f} | {c.error:.4f} |"
        for c in comparisons
    ]
    return [*head, *rows]


def main(arguments: Sequence[str]) -> None:
    """Compare, print the table and keep it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks people", description=__doc__)
    parser.add_argument("--only", choices=TABLES, help="one table; nothing is kept")
    parser.add_argument("--quick", action="store_true", help="see that everyone runs: two divisions, nothing kept")
    options = parser.parse_args(arguments)
    divisions = 2 if options.quick else DIVISIONS
    compared = [compare(name, divisions) for name in ([options.only] if options.only else TABLES)]
    result = machine() | {
        "divisions": divisions,
        "versions": versions(("nnctl", "scikit-learn", "numpy")),
        "rows": [each.row for each in compared],
    }
    head = (
        f"Mean over {divisions} divisions of each table into rows to learn from and new ones, a quarter of them: "
        "nnctl init, train and predict, beside scikit-learn's MLPClassifier or MLPRegressor with its defaults behind "
        f"imputation, scaling and one-hot columns chosen by hand; {result['date']}."
    )
    table = "\n".join([head, "", *lines_of(compared)])
    print(table)
    if not options.quick and options.only is None:
        keep("people", result, table)
