"""The marked tree: what a YAML text says, each part with the place it was said.

Nodes are immutable, so an anchor's node may stand in several places and an
override of one of them leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from nnctl.errors import Location
from nnctl.late import dataclass

ScalarValue: TypeAlias = "bool | int | float | str | None"


@dataclass(frozen=True)
class ScalarNode:
    """A single value. `text`: as it was written; `quoted`: True where in quotes or as a block."""

    value: ScalarValue
    location: Location
    text: str
    quoted: bool = False


@dataclass(frozen=True)
class SequenceNode:
    """A list. The location is its bracket, or its first dash."""

    items: tuple[Node, ...]
    location: Location

    def with_item(self, index: int, item: Node) -> SequenceNode:
        """A copy with another item at `index`."""
        return replace(self, items=(*self.items[:index], item, *self.items[index + 1 :]))

    def without_item(self, index: int) -> SequenceNode:
        """A copy without the item at `index`: those behind it move up."""
        return replace(self, items=(*self.items[:index], *self.items[index + 1 :]))


@dataclass(frozen=True)
class Entry:
    """One `key: value` of a mapping."""

    key: ScalarNode
    value: Node


@dataclass(frozen=True)
class MappingNode:
    """A mapping, in the order of the text. The location is its brace, or its first key."""

    entries: Mapping[str, Entry]
    location: Location

    def get(self, key: str) -> Node | None:
        """The value under `key`, None where there is no such key."""
        entry = self.entries.get(key)
        return None if entry is None else entry.value

    def with_entry(self, key: ScalarNode, value: Node) -> MappingNode:
        """A copy with `key` set: in its place where it exists, else at the end."""
        return replace(self, entries={**self.entries, key.text: Entry(key, value)})

    def without(self, *keys: str) -> MappingNode:
        """A copy without some keys, whether they are there or not."""
        return replace(self, entries={key: entry for key, entry in self.entries.items() if key not in keys})


Node: TypeAlias = "ScalarNode | SequenceNode | MappingNode"


def is_null(node: Node | None) -> bool:
    """True for an absent node and for a null."""
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def text_of(node: Node | None) -> str | None:
    """The string a node holds, None where it holds anything else."""
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


def plain_data(node: Node) -> object:
    """The node as dicts, lists and scalars, without places."""
    match node:
        case ScalarNode():
            return node.value
        case SequenceNode():
            return [plain_data(item) for item in node.items]
        case MappingNode():
            return {key: plain_data(entry.value) for key, entry in node.entries.items()}
