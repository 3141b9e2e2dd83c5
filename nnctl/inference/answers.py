"""Answers of a net in columns, and as lines of CSV or JSON: whole parts at a time, never example by example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.late import dataclass
from nnctl.screen.characters import json_line

_MOST_NUMBERS = 1 << 18
"""Numbers that are text at once."""
_IN_QUOTES = re.compile('[",\r\n]')
_PLAIN = re.compile(r"[ !#-\[\]-~]*")
"""Texts that JSON has as they are."""

OWN_NAMES = ("step", "prediction", "probability", "probabilities", "values")
"""Names of columns that answers have besides what says whose they are."""

Answer = dict[str, Any]
"""One example's, or one step's: the columns of a line of output, in order."""


@dataclass(frozen=True)
class Answers:
    """Answers to some examples, or to some steps, in order.

    places: what says which example it is, n cells a column, by its name. scores: (n, outputs) float64, finite; of
    values (n, *shape). classes: names of the outputs; None for values. values: names of these, where they have some.
    ranked: of classes their indices (n, k), the largest outputs first; all of them, or as many as are shown.
    """

    places: Mapping[str, Sequence[Any]]
    scores: NDArray[np.float64]
    classes: tuple[str, ...] | None = None
    values: tuple[str, ...] | None = None
    ranked: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def pieces(self) -> Iterator[Answers]:
        """The same in pieces of bounded size."""
        rows = max(1, _MOST_NUMBERS // max(1, self.scores[:1].size))
        for first in range(0, len(self), rows):
            part = slice(first, first + rows)
            places = {name: column[part] for name, column in self.places.items()}
            ranked = None if self.ranked is None else self.ranked[part]
            yield replace(self, places=places, scores=self.scores[part], ranked=ranked)

    def rows(self) -> Iterator[Answer]:
        """One mapping a line.

        With labels: prediction, probability (the net's output for it), probabilities by class, of the largest alone
        where these are ranked; else values, by their names where they have some.
        """
        for index, output in enumerate(self.scores):
            row: Answer = {name: column[index] for name, column in self.places.items()}
            if self.classes is None:
                numbers = output.tolist()
                row["values"] = numbers if self.values is None else dict(zip(self.values, numbers, strict=True))
            else:
                shown = range(len(output)) if self.ranked is None else self.ranked[index]
                best = int(output.argmax())
                row |= {"prediction": self.classes[best], "probability": float(output[best])}
                row["probabilities"] = {self.classes[c]: float(output[c]) for c in shown}
            yield row


def csv_lines(answers: Iterator[Answers]) -> Iterator[str]:
    """Answers as CSV under one header, in texts of many lines.

    Of values the columns are their names, or "value.0", …, in the order of an output's numbers; of classes
    "probability.NAME", or of ranked ones "class.1", "probability.1", ….
    """
    begun = False
    for piece in (piece for part in answers for piece in part.pieces()):
        columns = [_cells(column, _csv_cell) for column in piece.places.values()]
        numbers = _number_texts(piece)
        if piece.classes is None:
            names = _value_columns(piece)
        else:
            classes = _each(piece.classes, _csv_cell)
            columns += [_predictions(piece, classes), _probabilities(piece, numbers)]
            names = ["prediction", "probability"]
            if piece.ranked is None:
                names += [f"probability.{name}" for name in piece.classes]
            else:
                ranks = range(1, len(numbers) + 1)
                names += [name for rank in ranks for name in (f"class.{rank}", f"probability.{rank}")]
                ranked = [_taken(classes, places) for places in piece.ranked.T.tolist()]
                numbers = [column for pair in zip(ranked, numbers, strict=True) for column in pair]
        if not begun:
            yield ",".join(map(_csv_cell, (*piece.places, *names))) + "\n"
            begun = True
        yield "".join([f"{line}\n" for line in map(",".join, zip(*columns, *numbers, strict=True))])


def json_lines(answers: Iterator[Answers], *, ascii_only: bool = False) -> Iterator[str]:
    """Answers as one JSON object a line, in texts of many lines; each is what `json_line` makes of one of `rows`."""

    def write(cell: Any) -> str:
        return _json_cell(cell, ascii_only)

    def key(name: str) -> str:
        return f"{write(name)}: ".replace("%", "%%")

    for piece in (piece for part in answers for piece in part.pieces()):
        columns = [_cells(column, write) for column in piece.places.values()]
        fields = [f"{key(name)}%s" for name in piece.places]
        numbers = _number_texts(piece)
        if piece.classes is None:
            fields.append(f'"values": {_pattern(piece, key)}')
        else:
            classes = _each(piece.classes, write)
            columns += [_predictions(piece, classes), _probabilities(piece, numbers)]
            if piece.ranked is None:
                shown = ", ".join(f"{key(name)}%s" for name in piece.classes)
            else:
                shown = ", ".join(["%s: %s"] * len(numbers))
                ranked = [_taken(classes, places) for places in piece.ranked.T.tolist()]
                numbers = [column for pair in zip(ranked, numbers, strict=True) for column in pair]
            fields += ['"prediction": %s', '"probability": %s', f'"probabilities": {{{shown}}}']
        line = f"{{{', '.join(fields)}}}\n"
        yield "".join(map(line.__mod__, zip(*columns, *numbers, strict=True)))


def _number_texts(piece: Answers) -> list[list[str]]:
    """The numbers that are shown, as texts that read back equal: a list for each of a line's."""
    shown = piece.scores if piece.ranked is None else np.take_along_axis(piece.scores, piece.ranked, axis=1)
    return [list(map(repr, column)) for column in shown.reshape(len(piece), -1).T.tolist()]


def _predictions(piece: Answers, classes: Sequence[str]) -> list[str]:
    return _taken(classes, piece.scores.argmax(axis=1).tolist())


def _probabilities(piece: Answers, numbers: list[list[str]]) -> list[str]:
    """The text of each line's largest output."""
    if piece.ranked is not None:
        return numbers[0]
    return [row[best] for row, best in zip(zip(*numbers, strict=True), piece.scores.argmax(axis=1).tolist())]


def _value_columns(piece: Answers) -> list[str]:
    """Names of the columns of values; one that is passed through under the same name comes before it as it is."""
    if piece.values is None:
        return [f"value.{i}" for i in range(piece.scores[0].size)]
    return [f"prediction.{name}" if name in piece.places else name for name in piece.values]


def _pattern(piece: Answers, key: Callable[[str], str]) -> str:
    """The form of a line's values, with %s for each number."""
    if piece.values is not None:
        return f"{{{', '.join(f'{key(name)}%s' for name in piece.values)}}}"
    pattern = "%s"
    for length in reversed(piece.scores.shape[1:]):
        pattern = f"[{', '.join([pattern] * length)}]"
    return pattern


def _cells(column: Sequence[Any], write: Callable[[Any], str]) -> list[str]:
    """The cells as texts; each that occurs is written once."""
    return list(map(str, column)) if isinstance(column, range) else _each(column, write)


def _each(column: Sequence[Any], write: Callable[[Any], str]) -> list[str]:
    return _taken({cell: write(cell) for cell in set(column)}, column)


def _taken(texts: Any, places: Sequence[Any]) -> list[str]:
    return list(map(texts.__getitem__, places))


def _csv_cell(cell: Any) -> str:
    """A cell as CSV has it; nothing for a missing one."""
    if isinstance(cell, str):
        return f'"{cell.replace(chr(34), chr(34) * 2)}"' if _IN_QUOTES.search(cell) else cell
    return "" if cell is None else str(cell)


def _json_cell(cell: Any, ascii_only: bool) -> str:
    plain = isinstance(cell, str) and _PLAIN.fullmatch(cell)
    return f'"{cell}"' if plain else json_line(cell, ascii_only=ascii_only)
