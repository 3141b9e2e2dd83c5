from __future__ import annotations

import csv
import io
import json
import math

import pytest

from nnctl.errors import UsageError
from nnctl.reporting.formats import CsvLines, Format, JsonLines, format_named

RECORD = {"event": "evaluation", "epoch": 1, "seconds": 0.1, "train_cost": 1 / 3, "test_cost": None}


def test_json_lines_keep_every_bit() -> None:
    line = JsonLines().row(RECORD)
    assert line.endswith("}\n")
    assert json.loads(line) == RECORD
    assert JsonLines().header(tuple(RECORD)) == ""


def test_csv_has_one_header_and_empty_fields_for_null() -> None:
    text = CsvLines().header(tuple(RECORD)) + CsvLines().row(RECORD)
    (row,) = csv.DictReader(io.StringIO(text))
    assert row == {"event": "evaluation", "epoch": "1", "seconds": "0.1", "train_cost": repr(1 / 3), "test_cost": ""}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_cannot_say_is_null(value: float) -> None:
    assert json.loads(JsonLines().row({"cost": value})) == {"cost": None}
    assert CsvLines().row({"cost": value, "step": 1}) == ",1\n"


@pytest.mark.parametrize("form", [JsonLines(), CsvLines()])
def test_a_row_fits_its_own_columns_only(form: Format) -> None:
    assert form.fits(form.row(RECORD), tuple(RECORD))
    assert not form.fits(form.row(RECORD), tuple(RECORD)[1:])
    assert not form.fits("# notes of last week\n", tuple(RECORD))


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UsageError, match="expected jsonl or csv"):
        format_named("xml")
