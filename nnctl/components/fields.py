"""The types that components' fields are made of: a Python type, its bounds, its words.

A field is `Annotated[<one of these>, "what it is"]`; the string becomes the
description in the JSON Schema, in `explain` and in error messages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt, MinLen

from nnctl.late import dataclass


@dataclass(frozen=True)
class Pattern(BaseMetadata):
    """A bound on strings: the regular expression that the whole of one matches, and its words for messages."""

    regex: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """The check of a string, for Pydantic."""
        return {**handler(source), "pattern": f"^({self.regex})$"}


PositiveInt = Annotated[int, Gt(0)]
NonNegativeInt = Annotated[int, Ge(0)]
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
Fraction = Annotated[float, Ge(0), Lt(1)]
"""At least 0, below 1: a dropout rate, a momentum, a decay."""
Share = Annotated[float, Ge(0), Le(1)]
NonEmptyStr = Annotated[str, MinLen(1)]
Convention = Literal["torch", "keras", "book"]
"""Library or text whose rule holds where they differ."""
Unit = Literal["epoch", "step"]
"""Unit of a schedule's time."""
Period = Annotated[str, Pattern(r"[1-9][0-9]{0,14} (epoch|step)s?", "a count of epochs or steps, as in '2 epochs'")]
"""A period of training, as a count with its unit."""
Duration = Annotated[
    str, Pattern(r"[0-9]{1,9}(\.[0-9]{1,3})? (second|minute|hour)s?", "a time, as in '30 seconds' or '1.5 hours'")
]
"""A time that passes, as a number with its unit."""
