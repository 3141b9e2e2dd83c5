"""Functions that make inputs of a table's columns in a net's file, each written out in the file that calls it.

They call nothing but the standard library, NumPy and each other. What the net refuses is a ValueError here.
"""

# No annotations: what stands here is read by students, in the file of their net.
# mypy: ignore-errors

import csv
from datetime import UTC, datetime

import numpy as np


def cells(table, name):
    """A column of a list of rows, each a dict by column, or of a dict of columns; None where a cell is missing."""
    column = [row[name] for row in table] if isinstance(table, list | tuple) else table[name]
    return [None if cell is None or cell != cell else cell for cell in column]


def read_table(path, missing, names=None, delimiter=",", encoding="utf-8-sig"):
    """The rows of a CSV file, None where a cell is a mark of missing ones. names: of columns, where no row has them."""
    rows = []
    with open(path, newline="", encoding=encoding) as file:
        lines = csv.DictReader(file, names, delimiter=delimiter, skipinitialspace=delimiter == " ")
        for row in lines:
            if None in row or None in row.values():
                raise ValueError(f"{path}:{lines.line_num}: other cells than columns, which {delimiter!r} divides")
            cells = {name.strip(): cell.strip() for name, cell in row.items()}
            rows.append({name: None if cell.lower() in missing else cell for name, cell in cells.items()})
    return rows


def refuse(rows, why):
    """An error where one of the rows, True or False, is refused."""
    if np.any(rows):
        raise ValueError(f"row {int(np.argmax(rows))} (counted from 0): {why}")


def read_number(text, decimal, thousands, unit):
    """The number of a text as the table writes it: 1234.5 of "1.234,5 €", where these three are , and . and €."""
    bare = "".join(text.replace(unit or "", "").split()).replace("\u2212", "-")
    if bare.endswith("-"):
        bare = "-" + bare[:-1]
    elif bare.startswith("(") and bare.endswith(")"):
        bare = "-" + bare[1:-1]
    whole, _, behind = bare.partition(decimal)
    first, *groups = whole.split(thousands) if thousands and thousands.strip() else [whole]
    whole = "".join([first, *groups])
    digits = whole.lower().partition("e")[0].lstrip("+-") or "0"
    in_groups = all(len(group) in (2, 3) for group in groups) and all(len(group) == 3 for group in groups[-1:])
    divisor = {"%": 100.0, "‰": 1000.0}.get(unit)
    if not digits.isdigit() or not in_groups or (divisor and unit not in text):
        raise ValueError(f"{text!r} is no number as the table writes them: 12345{decimal}67{unit or ''}")
    return float(f"{whole}.{behind}" if behind else whole) / (divisor or 1.0)


def number(table, name, shift, scale, fill=None, flag=False, written=None):
    """(x - shift) * scale of a column of numbers, (n, 1), and behind it 1 where one is missing, if flag says so.

    written: how texts of the table write numbers, where it is not Python's way; see `read_number`.
    """
    words = {"": np.nan, "true": 1.0, "false": 0.0}
    x = [np.nan if cell is None else words.get(str(cell).lower(), cell) for cell in cells(table, name)]
    x = np.array([read_number(each, *written) if written and isinstance(each, str) else float(each) for each in x])
    missing = np.isnan(x)
    if fill is not None:
        x = np.where(missing, fill, x)
    with np.errstate(over="ignore", invalid="ignore"):
        x = (x - shift) * scale
    refuse(~(np.abs(x) <= np.finfo(np.float32).max), f"{name!r} lacks a number, or has one that is too large")
    return np.stack([x, missing], axis=1)[:, : 2 if flag else 1]


def category(table, name, numbers, unseen=None, missing=None, width=None):
    """The number of each name, (n, 1); with a width a row of 0 that has a 1 there, (n, width)."""
    known = {"": missing, **numbers}
    found = [known.get("" if cell is None else str(cell), unseen) for cell in cells(table, name)]
    refuse([each is None for each in found], f"{name!r} lacks a name, or has one that training does not know")
    found = np.array(found, float)[:, None]
    return found if width is None else found == np.arange(width)


def date(table, name, parts, format=None, fill=None, flag=False):
    """Parts of dates, (n, inputs): elapsed, year, month, ..., each scaled, as a point on a circle, or as 0 and 1."""
    found = np.array([instant(cell, format) for cell in cells(table, name)], "datetime64[us]")
    missing = np.isnat(found)
    if fill is not None:
        found = np.where(missing, np.datetime64(fill, "us"), found)
    refuse(np.isnat(found), f"{name!r} lacks a date")
    inputs = []
    for part, how, numbers in parts:
        x = part_of(found, part)[:, None]
        if how == "scaled":
            shift, scale = numbers
            inputs.append((x - shift) * scale)
        elif how == "circle":
            angle = 2 * np.pi * x / numbers[1]
            inputs += [np.sin(angle), np.cos(angle)]
        else:
            first, count = numbers
            inputs.append(x == np.arange(first, first + count))
    return np.concatenate([*inputs, missing[:, None]][: None if flag else -1], axis=1)


def instant(cell, format):
    """A date of Python or NumPy, or the text of one, in the time of Greenwich where it has a zone."""
    if isinstance(cell, str):
        cell = cell.strip() or None
    if isinstance(cell, str):
        cell = datetime.strptime(cell, format) if format else datetime.fromisoformat(cell)
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        cell = cell.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64("NaT" if cell is None else cell, "us")


def part_of(dates, part):
    """A part of dates, (n,): elapsed in seconds since 1970, weekdays from Monday, which is 0."""
    if part == "elapsed":
        return dates.astype(np.int64) / 1e6
    days, months, years = (dates.astype(f"datetime64[{unit}]") for unit in "DMY")
    minutes = (dates - days).astype("timedelta64[m]").astype(np.int64)
    return {
        "year": years.astype(np.int64) + 1970,
        "month": (months - years).astype(np.int64) + 1,
        "day": (days - months).astype(np.int64) + 1,
        "weekday": (days.astype(np.int64) + 3) % 7,
        "yearday": (days - years).astype(np.int64) + 1,
        "hour": minutes // 60,
        "minute": minutes % 60,
    }[part].astype(float)


def given(table, name, count):
    """So many inputs that are not made here but given, a list a row, (n, count)."""
    return np.array(cells(table, name), float).reshape(-1, count)


def scaled_steps(x, shift, scale):
    """(x - shift) * scale of steps (n, steps, columns), each column by its own numbers."""
    x = (np.asarray(x, float) - shift) * scale
    refuse(~(np.abs(x) <= np.finfo(np.float32).max).all(axis=(1, 2)), "a number is missing, or too large")
    return x


def scaled_sequences(x, shift, scale):
    """The same of sequences, NaN behind their ends: 0 there, and one more column, 1 where there is a step."""
    x = np.asarray(x, float)
    there = ~np.isnan(x).all(axis=2)
    refuse(~there[:, 0] | (there[:, 1:] > there[:, :-1]).any(axis=1), "a step is missing")
    inputs = scaled_steps(np.where(there[..., None], x, shift), shift, scale)
    return np.concatenate([inputs, there[..., None]], axis=2)
