"""A proposed spec, and what its data are to be told apart or measured by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from nnctl.late import dataclass
from nnctl.spec.noted import comment, dump_noted

Called = Callable[[Path], str]
"""The name by which a spec calls a file or folder, from where the spec will lie. Raises DataError where it has none."""


@dataclass(frozen=True)
class Proposal:
    """A spec as plain data, whose values may be `Noted`.

    heading: lines of comment above it. advice: sentences for whoever asked, on what was left out and what is doubtful.
    """

    spec: Mapping[str, object]
    heading: Sequence[str] = ()
    advice: Sequence[str] = ()

    @property
    def text(self) -> str:
        """The spec as a file has it."""
        return "".join(map(comment, self.heading)) + dump_noted(self.spec)


@dataclass(frozen=True)
class Answer:
    """The answer that a net is to give: one of several classes, or so many numbers.

    sizes: examples of each class; None where the answer is numbers. every_step: there is one for each step of a
    sequence.
    """

    sizes: Sequence[int] | None
    values: int = 1
    every_step: bool = False

    @property
    def units(self) -> int:
        """Units of the last layer."""
        return self.values if self.sizes is None else len(self.sizes)

    @property
    def is_uneven(self) -> bool:
        """True where the rarest class has less than half of an equal share."""
        return self.sizes is not None and min(self.sizes) * len(self.sizes) * 2 < sum(self.sizes)
