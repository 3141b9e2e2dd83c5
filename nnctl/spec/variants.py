"""Variants of a spec: the same text under many overrides, each checked at the price of what it changes."""

from __future__ import annotations

from collections.abc import Iterable

from nnctl.errors import SpecError
from nnctl.spec.check.consistency import check
from nnctl.spec.check.validate import Values, validate
from nnctl.spec.load import Loaded, load_variant
from nnctl.spec.overrides import apply


class Variants:
    """The checks of a spec's variants."""

    def __init__(self, base: Loaded) -> None:
        """Remember the values of the spec's parts, which its variants share."""
        self._base = base
        self._known: Values = {}
        validate(base.tree, self._known, learn=True)

    def check(self, overrides: Iterable[str]) -> None:
        """Raise SpecError with the problems of the spec under more overrides, as `load_variant` would."""
        overrides = tuple(overrides)
        try:
            spec = validate(apply(self._base.tree, overrides), self._known).spec
            sound = not check(spec, self._base.places, self._base.folder)
        except SpecError:
            sound = False
        if not sound:
            # Once more and in full, for the places of what is wrong.
            load_variant(self._base, overrides)
