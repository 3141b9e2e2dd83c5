"""The parser: YAML 1.2 text to the marked tree, or every problem that forbids it.

PyYAML's parser delivers events; composing them here gives what its own
composer does not: places for keys and values, equal keys refused, the core
schema of YAML 1.2. It is the parser written in Python, not libyaml's: a spec
is a page long, and so errors read the same on every machine.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

import yaml

from nnctl.errors import Diagnostic, SpecError
from nnctl.spec.yaml.scalars import resolve
from nnctl.spec.yaml.source_text import MAX_BYTES, SourceText, too_long
from nnctl.spec.yaml.syntax import describe
from nnctl.spec.yaml.tree import Entry, MappingNode, Node, ScalarNode, ScalarValue, SequenceNode

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

# A spec that passes a bound is an accident or an attack: aliases of aliases grow exponentially.
MAX_DEPTH = 64
MAX_NODES = 100_000
"""Keys and values, those that aliases repeat counted as often as they stand there."""


def parse(source: SourceText) -> Node:
    """The marked tree of a text. Raises SpecError with every problem that `compose` finds."""
    root, problems = compose(source)
    if problems:
        raise SpecError(problems)
    return root


def compose(source: SourceText) -> tuple[Node, list[Diagnostic]]:
    """The marked tree of a text, and problems that leave its structure clear.

    The problems are duplicate keys (the first holds in the tree), tags and unusable
    numbers. Raises SpecError at a syntax error, after which nothing is certain.
    """
    if len(source.text) > MAX_BYTES:
        raise too_long(source.name)
    control = _NOT_TEXT.search(source.text)
    if control:
        message = f"character U+{ord(control[0]):04X} cannot stand in a YAML text"
        raise SpecError([Diagnostic(message, source.at_character(control.start()))])
    composer = _Composer(source)
    return composer.document(), composer.problems


class _Composer:
    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._events: Iterator[yaml.Event] = iter(())
        self.problems: list[Diagnostic] = []
        self._anchors: dict[str, tuple[Node, int] | None] = {}
        self._nodes = 0

    def document(self) -> Node:
        try:
            self._events = yaml.parse(self._source.text, Loader=yaml.SafeLoader)
            return self._stream()
        except yaml.MarkedYAMLError as error:
            raise SpecError([*self.problems, describe(error, self._source)]) from None

    def _stream(self) -> Node:
        self._next()
        start = self._next()
        if isinstance(start, yaml.StreamEndEvent):
            raise SpecError(
                [
                    Diagnostic(
                        "the spec is empty",
                        self._source.at(0, 0),
                        expected="a mapping with at least 'data', 'layers' and 'cost'",
                    )
                ]
            )
        if isinstance(start, yaml.DocumentStartEvent) and start.version not in (None, (1, 2)):
            self._problem("a spec is YAML 1.2", start, hint="remove the %YAML line")
        root = self._node(self._next(), 0)
        self._next()
        after = self._next()
        if not isinstance(after, yaml.StreamEndEvent):
            self._problem("a second document begins here", after, expected="one spec a file")
        return root

    def _next(self) -> yaml.Event:
        return next(self._events)

    def _problem(self, message: str, event: yaml.Event, expected: str = "", hint: str = "") -> None:
        location = self._source.span(event, event)
        self.problems.append(Diagnostic(message, location, expected, hint))

    def _stop(self, message: str, event: yaml.Event, hint: str = "") -> SpecError:
        self._problem(message, event, hint=hint)
        return SpecError(self.problems)

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._stop(f"nested deeper than {MAX_DEPTH} levels", event)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._stop(f"more than {MAX_NODES:,} keys and values", event, "this is no spec that trains a net")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._nodes
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            self._anchors[anchor] = None
        if getattr(event, "tag", None) is not None:
            # The event begins at the tag, or at an anchor before it.
            self._problem(
                "tags have no meaning in a spec",
                event,
                hint="a component is named by its 'type'; a value needs no tag",
            )
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth)
        elif isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, depth)
        else:
            raise self._stop("a value is missing here", event)
        if anchor is not None:
            self._anchors[anchor] = (node, self._nodes - before + 1)
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor or ""
        if name not in self._anchors:
            close = difflib.get_close_matches(name, self._anchors, n=1)
            raise self._stop(
                f"no anchor '&{name}' before this alias", event, f"did you mean '*{close[0]}'?" if close else ""
            )
        anchored = self._anchors[name]
        if anchored is None:
            raise self._stop(f"'*{name}' contains itself", event)
        node, size = anchored
        self._nodes += size - 1
        if self._nodes > MAX_NODES:
            raise self._stop(f"aliases unfold to more than {MAX_NODES:,} values", event)
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        location = self._source.span(event, event)
        quoted = bool(event.style)
        value: ScalarValue = event.value
        if not quoted:
            try:
                value = resolve(event.value)
            except ValueError as error:
                self.problems.append(Diagnostic(str(error), location))
        return ScalarNode(value, location, event.value, quoted)

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> SequenceNode:
        items = []
        while not isinstance(item := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(item, depth + 1))
        location = self._source.span(event, item if event.flow_style else event)
        return SequenceNode(tuple(items), location)

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> MappingNode:
        entries: dict[str, Entry] = {}
        while not isinstance(item := self._next(), yaml.MappingEndEvent):
            key = self._key(item)
            value = self._node(self._next(), depth + 1)
            first = entries.get(key.text)
            if first is not None:
                self.problems.append(
                    Diagnostic(
                        f"key '{key.text}' appears twice in this mapping",
                        key.location,
                        hint="remove one of the two",
                        related=((first.key.location, f"'{key.text}' is first set here"),),
                    )
                )
                continue
            entries[key.text] = Entry(key, value)
        if event.flow_style or not entries:
            location = self._source.span(event, item)
        else:
            location = next(iter(entries.values())).key.location
        return MappingNode(entries, location)

    def _key(self, event: yaml.Event) -> ScalarNode:
        if isinstance(event, yaml.ScalarEvent):
            node = self._node(event, 0)
            assert isinstance(node, ScalarNode)
            return node
        raise self._stop("a key must be a name, not a list, a mapping or an alias", event)
