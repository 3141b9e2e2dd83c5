"""Dates and times of cells as instants, from typed columns or from texts in one notation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.tables.cells import Cells
from nnctl.data.words import cut, key

Instants = NDArray[np.datetime64]
"""Microseconds since 1970, in the time of the cells; of those with a zone in that of Greenwich. NaT where missing."""

_DAYS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y",
    "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%d-%b-%Y", "%d-%b-%y",
)  # fmt: skip
_TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_WRITTEN = tuple(day + time for day, time in product(_DAYS, _TIMES))
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?$"


def instants(cells: Cells, notation: str | None) -> Instants:
    """The cells as instants (n,). notation: of texts, as `datetime.strptime` has it; ISO 8601 if None.

    Raises DataError, naming line and column, where a cell is no date so written.
    """
    kind = cells.values.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        # The clock of a zone is left for Greenwich's here.
        whole = pc.cast(pc.cast(cells.values, pa.timestamp("us", getattr(kind, "tz", None)), safe=False), pa.int64())
        numbers = np.asarray(pc.fill_null(whole, np.iinfo(np.int64).min).to_numpy(), dtype=np.int64)
        return numbers.view("datetime64[us]")
    if cells.values.null_count == len(cells):
        return np.full(len(cells), np.datetime64("NaT", "us"), dtype="datetime64[us]")
    if not cells.is_text:
        example = "%Y%m%d" if pa.types.is_integer(kind) else "%d/%m/%Y"
        message = f"column {cut(cells.name)!r} holds {kind}, no dates"
        raise cells.error(
            0, message, "", f'say how they are written: {key(cells.name)}: {{type: date, format: "{example}"}}'
        )
    codes, texts = cells.codes()
    found = np.full(len(texts) + 1, np.datetime64("NaT", "us"), dtype="datetime64[us]")
    for place, text in enumerate(texts):
        instant = instant_of(text, notation)
        if instant is None and (codes == place).any():
            index = int(np.argmax(codes == place))
            expected = f"a date written as {notation}" if notation else "a date as 2021-03-04 or 2021-03-04 17:30:00"
            hint = (
                "" if notation else f'say how they are written: {key(cells.name)}: {{type: date, format: "%d/%m/%Y"}}'
            )
            raise cells.error(index, f"{cut(text)!r} is no date", expected, hint)
        found[place] = np.datetime64("NaT", "us") if instant is None else instant
    # The last of these is at −1, the code of a missing cell.
    return found[codes]


def instant_of(text: str, notation: str | None) -> np.datetime64 | None:
    """The instant that a text means; None where it is not so written."""
    try:
        instant = datetime.strptime(text.strip(), notation) if notation else datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return np.datetime64(instant.astimezone(UTC).replace(tzinfo=None) if instant.tzinfo else instant, "us")


def is_iso(texts: pa.Array) -> bool:
    """True where all texts are dates, or dates and times, of ISO 8601."""
    if not len(texts) or not pc.all(pc.match_substring_regex(texts, _ISO)).as_py():
        return False
    return all(instant_of(text, None) is not None for text in texts.to_pylist())


def notations(texts: Sequence[str]) -> list[str]:
    """Every usual notation but ISO's in which all of the texts are dates; none where there is no such."""
    found = list(_WRITTEN)
    for text in texts:
        found = [notation for notation in found if instant_of(text, notation) is not None]
        if not found:
            return []
    return _first_of_alike(found, texts)


def several_notations(texts: Sequence[str]) -> list[str]:
    """The first text of each notation, where all are dates and no notation is that of all; else none."""
    if notations(texts):
        return []
    found: dict[str, str] = {}
    for text in texts:
        notation = next((each for each in (None, *_WRITTEN) if instant_of(text, each) is not None), "")
        if notation == "":
            return []
        found.setdefault(notation or "ISO", text)
    return list(found.values()) if len(found) > 1 else []


def _first_of_alike(found: list[str], texts: Sequence[str]) -> list[str]:
    """The notations that mean different dates; of those that mean the same the first."""
    means: dict[tuple[str, ...], str] = {}
    for notation in found:
        means.setdefault(tuple(str(instant_of(text, notation)) for text in texts[:1000]), notation)
    return list(means.values())


def require_dates(cells: Cells, dates: Instants) -> None:
    """Raise DataError at the first cell that is missing."""
    if (gaps := np.isnat(dates)).any():
        raise cells.missing(int(np.argmax(gaps)), f"{key(cells.name)}: {{type: date, missing: median}}")
