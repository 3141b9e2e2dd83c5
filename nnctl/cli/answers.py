"""Answers of a net, printed or written to a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nnctl.errors import UsageError
from nnctl.inference.answers import OWN_NAMES, Answers, csv_lines, json_lines
from nnctl.late import dataclass
from nnctl.reporting.formats import format_named
from nnctl.reporting.new_file import new_file
from nnctl.screen.guard import is_unicode


@dataclass(frozen=True)
class Destination:
    """The place that answers go to: a file, or stdout if None. form: what `--format` says, by the place if None.

    Raises UsageError for a form that answers do not have.
    """

    file: Path | None
    form: str | None
    force: bool

    def __post_init__(self) -> None:
        if self.form is not None:
            format_named(self.form)
        elif self.file is not None and self.file.suffix.lower() in (".npy", ".npz", ".png"):
            raise UsageError(f"--out {self.file}: answers are JSON Lines or CSV\n  name the file .jsonl or .csv")

    def give(self, answers: Iterator[Answers], most: int) -> None:
        """Print or write answers. most: the probable classes of each that a terminal shows. Raises UsageError."""
        if self.file is not None:
            as_csv = self.form == "csv" if self.form is not None else self.file.suffix.lower() == ".csv"
            with new_file(self.file, "--out", force=self.force) as file:
                for text in csv_lines(answers) if as_csv else json_lines(answers):
                    # Names of files may be any bytes.
                    file.write(text.encode("utf-8", "surrogateescape"))
        elif sys.stdout.isatty() and self.form is None:
            for part in answers:
                for row in part.rows():
                    print(_sentence(row, most))
        else:
            as_csv = self.form == "csv"
            for text in csv_lines(answers) if as_csv else json_lines(answers, ascii_only=not is_unicode(sys.stdout)):
                # Names of files may be no text at all, and stdout of a narrow encoding.
                encoding = sys.stdout.encoding or "utf-8"
                sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
                # Its reader may be waiting.
                sys.stdout.flush()


def _sentence(row: dict[str, Any], count: int) -> str:
    """An answer in a line: its values, or the most probable classes."""
    # Here and not above: Rich takes longer to load than an answer to a pipe.
    from nnctl.cli.tables import joined
    from nnctl.reporting.terminal import show
    from nnctl.screen.characters import word

    if "input" in row:
        where = f"{word(row['input'])}[{row['index']}]"
    else:
        where = "  ".join(word(str(row[name])) for name in row if name not in OWN_NAMES)
    if "values" in row:
        values = row["values"]
        if isinstance(values, dict):
            return f"{where}  {joined('  ', [*values.items()], lambda item: word(f'{item[0]} {show(item[1])}'))}"
        return f"{where}  {joined('  ', values, lambda value: word(str(value)))}"
    ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:count]
    rest = "  ".join(f"{word(name)} {show(value)}" for name, value in ranked)
    return f"{where}  {word(str(row['prediction']))}  ({rest})"
