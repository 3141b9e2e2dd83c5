"""Columns that are left out."""

from __future__ import annotations

from typing import ClassVar

from nnctl.components.base import Column
from nnctl.components.registry import register


@register("column", "ignore")
class Ignore(Column):
    """Left out: an identifier, a free text, what is known only afterwards."""

    formula = "no input"
    used: ClassVar[bool] = False
