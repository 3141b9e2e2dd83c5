"""Variants of a spec: the same text under many overrides, each checked at the price of what it changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from nnctl.errors import SpecError
from nnctl.spec.check.consistency import check
from nnctl.spec.check.validate import Place, Validated, Values, validate
from nnctl.spec.load import Loaded, load_validated, load_variant
from nnctl.spec.overrides import apply
from nnctl.spec.yaml.tree import Node


class Variants:
    """The variants of a spec, and their checks."""

    def __init__(self, base: Loaded) -> None:
        """Remember the values of the spec's parts, which its variants share."""
        self._base = base
        self._known: Values = {}
        validate(base.tree, self._known, learn=True)

    def load(self, overrides: Iterable[str]) -> Loaded:
        """The spec under more overrides, as `load_variant` gives it. Raises SpecError."""
        overrides = tuple(overrides)
        try:
            tree = apply(self._base.tree, overrides)
            spec = validate(tree, self._known).spec
            return load_validated(Validated(spec, _LatePlaces(tree)), tree, self._base)
        except SpecError:
            # Once more and in full, for the places of what is wrong.
            return load_variant(self._base, overrides)

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


class _LatePlaces(Mapping[str, Place]):
    """The places of a tree's values, found when one is asked for: mostly nobody does."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree

    @cached_property
    def _found(self) -> Mapping[str, Place]:
        return validate(self._tree).places

    def __getitem__(self, path: str) -> Place:
        return self._found[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
