"""The names of layers: a spec's own, and those that layers without one are called by."""

from __future__ import annotations

from collections.abc import Iterable


def names_of(layers: Iterable[tuple[str, str | None]]) -> list[str]:
    """The names of the layers of a list, from (type, name): the name, or the type and a count among the unnamed."""
    counts: dict[str, int] = {}
    names = []
    for kind, name in layers:
        if name is None:
            counts[kind] = counts.get(kind, 0) + 1
        names.append(name or f"{kind}{counts[kind]}")
    return names
