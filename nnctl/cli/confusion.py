"""Confusion matrices on a terminal: every class is there, however many there are and however narrow it is."""

from __future__ import annotations

from collections.abc import Sequence

from nnctl.cli.tables import NOTHING, Column, fits, print_table
from nnctl.screen.characters import word

MATRIX = 40
"""Classes up to which the matrix itself is shown; of more, what each class is taken for."""
MISTAKES = 10
"""Classes that one is taken for, the most frequent first, that are listed by name."""


def print_confusion(title: str, classes: Sequence[str], counts: Sequence[Sequence[int]]) -> None:
    """Print the examples of each class by answer, (classes, classes), on stdout, which is a terminal."""
    if len(classes) > MATRIX:
        print_table(
            _mistakes(classes, counts), f"{title}: of each class the right answers, and what others are taken for"
        )
        return
    columns = _matrix(classes, classes, counts)
    if not fits(columns):
        # Numbers are narrower than names; the rows say whose they are.
        numbers = [str(number) for number in range(len(classes))]
        if list(classes) != numbers:
            columns = _matrix([f"{number} {name}" for number, name in zip(numbers, classes)], numbers, counts)
    print_table(columns, f"{title}: rows are classes, columns answers")


def _matrix(names: Sequence[str], heads: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Column]:
    answers = [
        Column(head, [row[answer] or NOTHING for row in counts], frozenset({answer}))
        for answer, head in enumerate(heads)
    ]
    return [Column("class", names), *answers]


def _mistakes(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> list[Column]:
    return [
        Column("class", classes),
        Column("examples", [sum(row) for row in counts]),
        Column("right", [row[own] for own, row in enumerate(counts)]),
        Column("taken for", [_taken_for(own, classes, row) for own, row in enumerate(counts)]),
    ]


def _taken_for(own: int, classes: Sequence[str], row: Sequence[int]) -> str:
    wrong = sorted(((n, c) for c, n in enumerate(row) if n and c != own), key=lambda pair: (-pair[0], pair[1]))
    named = [f"{word(classes[c], 40)} {n:,}" for n, c in wrong[:MISTAKES]]
    rest = wrong[MISTAKES:]
    if rest:
        named.append(f"{len(rest):,} others {sum(n for n, _ in rest):,}")
    return ", ".join(named)
