"""Numbers as people write them: decimal comma, thousands, a currency or another unit, percent, signs of accountants."""

from __future__ import annotations

import re
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nnctl.data.tables.cells import Cells
from nnctl.data.words import cut
from nnctl.late import dataclass

DIVISORS = {"%": 100.0, "‰": 1000.0}
"""Units that are numbers: 12 % is 12 divided by 100."""
_SPACES = " \t\u00a0\u2007\u2009\u202f"
_CURRENCIES = "$€£¥₹₽₩₺₪฿₫₴₦"
_CODES = ("USD", "EUR", "GBP", "CHF", "JPY", "INR", "CNY", "AUD", "CAD", "SEK", "NOK", "DKK", "PLN", "BRL", "kr", "zł")
_UNITS = (*DIVISORS, *_CURRENCIES, *_CODES)
_MINUS = "[\\-\u2212]"
_SIGN = "[+\\-\u2212]"
_ANY = (
    f"^\\(?(?:{{unit}})?{_SIGN}?(?:{{unit}})?[0-9]+(?:['\u2019., \u00a0\u202f][0-9]{{{{3}}}})*(?:[.,][0-9]+)?"
    f"(?:[eE][+-]?[0-9]+)?[{_SPACES}]*{_MINUS}?(?:{{unit}})?(?:{_MINUS}|\\))?$"
).format(unit="|".join(map(re.escape, _UNITS)))
_LATE_SIGN = f"\\(|{_MINUS}[^0-9]*$"
"""The part of a number below 0 whose sign is brackets, or behind it, and of no other."""
_MEASURED = re.compile(r"[^ ]*[0-9](?P<behind> (?P<unit>[^\W\d][^ ]*))$")


@dataclass(frozen=True)
class Notation:
    """A way to write numbers; below 0 they are -12, 12- or (12).

    thousands: what stands between groups of digits; a blank stands for any. unit: what stands before or behind each
    number, or is left out; % is never left out, for 12 might be 12 or 0.12.
    """

    decimal: str = "."
    thousands: str | None = None
    unit: str | None = None

    @cached_property
    def pattern(self) -> str:
        """The regular expression of a cell, for Python and Arrow alike."""
        blank, digits = f"[{_SPACES}]*", "[0-9]+"
        if self.thousands is not None:
            # Groups of two are India's: 12,34,567.
            digits = f"(?:[1-9][0-9]{{0,2}}(?:{self.between}[0-9]{{2,3}})*{self.between}[0-9]{{3}}|[0-9]+)"
        point = re.escape(self.decimal)
        number = f"(?:{digits}(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
        signed = f"(?:{_SIGN}?{number}|{number}{blank}{_MINUS}|\\({blank}{number}{blank}\\))"
        if self.unit is None:
            return f"^{blank}{signed}{blank}$"
        unit = re.escape(self.unit)
        whole = f"(?:{number}{blank}{unit}|{unit}{blank}{number})"
        forms = [
            f"{signed}{blank}{unit}",
            f"{unit}{blank}{signed}",
            f"{_SIGN}{blank}{unit}{blank}{number}",
            f"{unit}{blank}{_SIGN}{blank}{number}",
            f"{whole}{blank}{_MINUS}",
            f"\\({blank}{whole}{blank}\\)",
            *([] if self.unit in DIVISORS else [signed]),
        ]
        return f"^{blank}(?:{'|'.join(forms)}){blank}$"

    def numbers(self, cells: Cells) -> NDArray[np.float64]:
        """The cells as float64 (n,), NaN where one is missing; those that are numbers already as they are.

        Raises DataError, naming line and column, where a cell is no number so written.
        """
        if not cells.is_text:
            return cells.numbers()
        cells.require_told_apart()
        texts = pc.cast(cells.values, pa.string())
        wrong = pc.invert(pc.match_substring_regex(texts, self.pattern))
        if (index := pc.index(wrong, True).as_py()) >= 0:
            raise cells.error(index, f"{cut(texts[index].as_py())!r} is no number", self.words)
        if self.unit is not None:
            texts = pc.replace_substring(texts, self.unit, "")
        texts = pc.replace_substring_regex(texts, f"[{_SPACES}]", "")
        if self.thousands is not None:
            texts = pc.replace_substring_regex(texts, self.between, "")
        texts = pc.replace_substring(pc.replace_substring(texts, self.decimal, "."), "\u2212", "-")
        texts = pc.replace_substring_regex(texts, r"^\((.*)\)$|^(.*)-$", r"-\1\2")
        values = np.asarray(pc.cast(pc.utf8_ltrim(texts, "+"), pa.float64()).to_numpy(), dtype=np.float64)
        return values / DIVISORS.get(self.unit or "", 1.0)

    @property
    def words(self) -> str:
        """The notation, for messages: what a cell is expected to be."""
        number = f"12{self.thousands}345" if self.thousands else "12345"
        behind = f" {self.unit}" if self.unit else ""
        return f"a number written as {number}{self.decimal}67{behind}"

    @property
    def said(self) -> dict[str, str]:
        """The fields of `number` that say so, for cells that are texts."""
        # What is plain and was yet read as text has another sign, which is read where the spec says a notation.
        plain = self.decimal == "." and (self.thousands, self.unit) != (None, None)
        fields = {"decimal": None if plain else self.decimal, "thousands": self.thousands, "unit": self.unit}
        return {name: value for name, value in fields.items() if value is not None}

    @property
    def fields(self) -> str:
        """The same as a spec has them."""
        return ", ".join(["type: number", *(f'{name}: "{value}"' for name, value in self.said.items())])

    @property
    def between(self) -> str:
        """The regular expression of what separates groups."""
        return f"[{_SPACES}]" if self.thousands == " " else re.escape(self.thousands or "")


PLAIN = Notation()
_WRITTEN = (
    PLAIN,
    Notation(thousands=","),
    Notation(","),
    Notation(",", "."),
    Notation(thousands=" "),
    Notation(",", " "),
    Notation(thousands="'"),
    Notation(thousands="\u2019"),
)


def notations(texts: pa.Array) -> list[Notation]:
    """Every reading of texts, all of them different, as numbers in one usual notation; none where there is no such."""
    units = [u for u in _UNITS if pc.any(pc.match_substring(texts, u)).as_py()]
    return _readings(texts, units[0] if units else None)


def measured(texts: pa.Array) -> list[Notation]:
    """Every reading of texts, all of them different, as numbers with some unit behind each, as 12 kg.

    None where they have no common one, or where they may be names, for there is no blank before it.
    """
    first = _MEASURED.match(texts[0].as_py())
    if first is None or not pc.all(pc.ends_with(texts, first["behind"])).as_py():
        return []
    return _readings(texts, first["unit"])


def _readings(texts: pa.Array, unit: str | None) -> list[Notation]:
    # Where all are in brackets, these are no signs.
    if pc.all(pc.match_substring_regex(texts, _LATE_SIGN)).as_py():
        return []
    readings: dict[Notation, None] = {}
    for written in _WRITTEN:
        notation = Notation(written.decimal, written.thousands, unit)
        if pc.all(pc.match_substring_regex(texts, notation.pattern)).as_py():
            readings[_plainest(notation, texts)] = None
    return list(readings)


def look_numeric(texts: pa.Array) -> pa.Array:
    """A mask of the texts that would be numbers in some usual notation."""
    return pc.match_substring_regex(texts, _ANY)


def _plainest(notation: Notation, texts: pa.Array) -> Notation:
    """The notation without the marks that occur in none of the texts."""
    thousands = notation.thousands
    if thousands is not None and not pc.any(pc.match_substring_regex(texts, f"[0-9]{notation.between}[0-9]")).as_py():
        thousands = None
    # A point between groups leaves the comma for the decimals, whether there are any or not.
    comma = notation.decimal == "," and (thousands == "." or pc.any(pc.match_substring(texts, ",")).as_py())
    return Notation("," if comma else ".", thousands, notation.unit)
