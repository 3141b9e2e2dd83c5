"""Overrides: changes to the marked tree before it is validated.

Nodes that an override makes keep their places in the argument, so that the
validator's errors point there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from nnctl.components.base import Layer
from nnctl.components.registry import Component
from nnctl.errors import Diagnostic, Location, SpecError
from nnctl.late import dataclass
from nnctl.spec.document import Spec
from nnctl.spec.dump import to_data
from nnctl.spec.messages.hints import did_you_mean
from nnctl.spec.messages.synonyms import suggest
from nnctl.spec.messages.wording import content, listing
from nnctl.spec.naming import names_of
from nnctl.spec.override_syntax import ORIGIN, Override, PathStep, parse_override
from nnctl.spec.schema.forms import Field, Form, ListOf, MapOf, Record, Variant, alternatives, fields_of, variant_in
from nnctl.spec.yaml.tree import Entry, MappingNode, Node, ScalarNode, SequenceNode, is_null, text_of


def apply(root: Node, arguments: Iterable[str]) -> Node:
    """The tree with every override applied, in their order.

    Raises SpecError with the problems of all arguments: one that cannot be read,
    an item that is not there, a step into what has no parts.
    """
    problems: list[Diagnostic] = []
    for argument in arguments:
        try:
            override = parse_override(argument)
            root = _Setter(override).inside(root, 0, Record(Spec))
        except SpecError as error:
            problems += error.diagnostics
    if problems:
        raise SpecError(problems)
    return root


def place_of(root: Node, path: str) -> tuple[str, ...]:
    """The keys and positions that a path leads through, the same however it is written.

    Raises SpecError where it cannot be read, or leads nowhere.
    """
    setter = _Setter(parse_override(f"{path}=null"))
    setter.inside(root, 0, Record(Spec))
    return tuple(setter.taken)


@dataclass(frozen=True)
class _Setter:
    """One override. taken: the keys and positions of its way into the tree."""

    override: Override
    taken: list[str] = field(default_factory=list)

    def inside(self, node: Node | None, depth: int, form: Form | None, default: object = None) -> Node:
        """The node with the rest of the path set in it.

        form, default: of the node, where its field is known; the default stands for absence.
        """
        steps = self.override.steps
        if depth == len(steps):
            return self.override.value
        options = alternatives(form) if form is not None else ()
        if node is None or is_null(node):
            node = self.absent(options, depth, default)
        if isinstance(node, SequenceNode):
            return self.item(node, depth, next((f for f in options if isinstance(f, ListOf)), None))
        step = steps[depth]
        if isinstance(node, ScalarNode):
            if text_of(node) is None or (options and not any(isinstance(f, Variant) for f in options)):
                raise self.override.error(step, f"{self.before(depth)} is {content(node)} and has no '{step.key}'")
            # A bare name is a component with default fields.
            kind = ScalarNode("type", node.location, "type")
            node = MappingNode({"type": Entry(kind, node)}, node.location)
        if step.wanted is not None:
            raise self.override.error(step, f"{self.before(depth)} is a mapping, not a list to select from")
        return self.entry(node, depth, options)

    def entry(self, node: MappingNode, depth: int, options: tuple[Form, ...]) -> Node:
        step = self.override.steps[depth]
        free = next((f for f in options if isinstance(f, MapOf)), None)
        if free is not None:
            step, depth = self.key(node, depth, free)
            self.taken.append(step.key)
            return node.with_entry(self.override.key(step), self.inside(node.get(step.key), depth, free.value))
        self.taken.append(step.key)
        if (
            step.key == "type"
            and depth + 1 == len(self.override.steps)
            and any(isinstance(f, Variant) for f in options)
        ):
            return self.retyped(node, step)
        known = _field(node, step.key, options)
        form, default = (None, None) if known is None else (known.form, None if known.required else known.default())
        value = self.inside(node.get(step.key), depth + 1, form, default)
        return node.with_entry(self.override.key(step), value)

    def key(self, node: MappingNode, depth: int, form: MapOf) -> tuple[PathStep, int]:
        """(a free key, the depth behind it).

        Such keys may be paths themselves (`sweep.grid`), or names with dots: the rest of the path is one key, but where
        the mapping holds components, one is there by the name that the rest begins with, and a field of it follows:
        `sweep.space.optimizer.values`, and not `sweep.space.optimizer.learning_rate`.
        """
        steps, text = self.override.steps, self.override.source.text
        start = steps[depth].column
        ends = [step.column + step.width for step in steps[depth:]]
        count = len(ends)
        variant = variant_in(form.value)
        if variant is not None:
            there = (n for n in range(count, 0, -1) if text[start : ends[n - 1]] in node.entries)
            count = next((n for n in there if n == count or self.is_field(steps[depth + n].key, variant)), count)
        end = ends[count - 1]
        return PathStep(text[start:end], start, end - start), depth + count

    def is_field(self, key: str, variant: Variant) -> bool:
        """True where a key is a field of a component; or nearly so, and the value is not itself one that has fields."""
        names = list(
            dict.fromkeys(("type", *(name for cls in variant.candidates().values() for name in fields_of(cls))))
        )
        return key in names or (not isinstance(self.override.value, MappingNode) and bool(suggest(key, names)))

    def retyped(self, node: MappingNode, step: PathStep) -> Node:
        """The mapping of another component: fields of the file were of the old one, those of overrides stay."""
        if text_of(node.get("type")) == text_of(self.override.value):
            return node
        kept = {name: e for name, e in node.entries.items() if e.key.location.path == ORIGIN and name != "type"}
        entry = Entry(self.override.key(step), self.override.value)
        return MappingNode({"type": entry, **kept}, self.override.value.location)

    def item(self, node: SequenceNode, depth: int, form: ListOf | None) -> Node:
        step = self.override.steps[depth]
        position = self.select(node, depth, form) if step.wanted is not None else self.position(node, depth, form)
        self.taken.append(str(position))
        inner = None if form is None else form.fixed[position] if form.fixed else form.item
        if depth + 1 == len(self.override.steps) and is_null(self.override.value) and not (form and form.fixed):
            return node.without_item(position)
        return node.with_item(position, self.inside(node.items[position], depth + 1, inner))

    def position(self, node: SequenceNode, depth: int, form: ListOf | None) -> int:
        step, count = self.override.steps[depth], len(node.items)
        here = self.before(depth)
        index = step.index
        if index is None:
            names = _values(node, "name", form)
            hint = did_you_mean(f"{here[1:-1]}[name={step.key}]") if step.key in names else ""
            raise self.override.error(step, f"'{step.key}' is no item of {here}, a list", "an index, or [name=…]", hint)
        if not -count <= index < count:
            last = f"an index from 0 to {count - 1}, or -1 for the last" if count else ""
            items = f"{count} item{'' if count == 1 else 's'}"
            raise self.override.error(step, f"{here} has {items}, none at {index}", last)
        return index % count

    def select(self, node: SequenceNode, depth: int, form: ListOf | None) -> int:
        step = self.override.steps[depth]
        here = self.before(depth)
        values = _values(node, step.key, form)
        matches = [i for i, value in enumerate(values) if value == step.wanted]
        if len(matches) == 1:
            return matches[0]
        selection = f"{step.key}={step.wanted}"
        if matches:
            raise self.override.error(
                step,
                f"{len(matches)} items of {here} have {selection}",
                hint=f"say which by index: {listing(map(str, matches))}",
            )
        known = list(dict.fromkeys(value for value in values if value is not None))
        words = f"one of {listing(known)}" if known else f"an index: no item of {here} has a '{step.key}'"
        raise self.override.error(
            step, f"no item of {here} has {selection}", words, did_you_mean(suggest(step.wanted or "", known))
        )

    def absent(self, options: tuple[Form, ...], depth: int, default: object) -> Node:
        """The node that an absent value is made of: the default component, or an empty mapping."""
        step = self.override.steps[depth]
        if isinstance(default, Component):
            return _node(_said(default), self.override.source.at(0, step.column, step.width))
        if any(isinstance(f, ListOf) for f in options) and not any(isinstance(f, Record | Variant) for f in options):
            raise self.override.error(step, f"{self.before(depth)} is an empty list and has no '{step.key}'")
        return MappingNode({}, self.override.source.at(0, step.column, step.width))

    def before(self, depth: int) -> str:
        """The path up to a step, for messages."""
        if depth == 0:
            return "the spec"
        last = self.override.steps[depth - 1]
        return f"'{self.override.source.text[: last.column + last.width]}'"


def _text(node: Node | None) -> str | None:
    return node.text if isinstance(node, ScalarNode) else None


def _values(node: SequenceNode, key: str, form: ListOf | None) -> list[str | None]:
    """The value that each item of a list has under a key; the name of each layer, which need not be written."""
    types = [_text(item.get("type")) if isinstance(item, MappingNode) else text_of(item) for item in node.items]
    if key == "type":
        return types
    values = [_text(item.get(key)) if isinstance(item, MappingNode) else None for item in node.items]
    if key == "name" and form is not None and _is_layer(form.item):
        return list(names_of((kind or "", name) for kind, name in zip(types, values, strict=True)))
    return values


def _is_layer(form: Form) -> bool:
    variant = variant_in(form)
    return variant is not None and issubclass(variant.base, Layer)


def _field(node: MappingNode, key: str, options: tuple[Form, ...]) -> Field | None:
    """The field that a key of a mapping sets, None where the key or the mapping is unknown."""
    for option in options:
        cls: type | None = None
        if isinstance(option, Record):
            cls = option.cls
        elif isinstance(option, Variant):
            cls = option.candidates().get(text_of(node.get("type")) or "")
        if cls is not None and (field := fields_of(cls).get(key)):
            return field
    return None


def _said(component: Component) -> dict[str, object]:
    """The shortest data of a component: its type, and the fields that are not as its class has them."""
    data = to_data(component)
    fields = fields_of(type(component))
    usual = {name for name, f in fields.items() if not f.required and f.default() == getattr(component, f.attribute)}
    return {key: value for key, value in data.items() if key not in usual}


def _node(data: object, location: Location) -> Node:
    """The tree of plain data, all of it at one place."""
    if isinstance(data, dict):
        return MappingNode(
            {key: Entry(ScalarNode(key, location, key), _node(value, location)) for key, value in data.items()},
            location,
        )
    if isinstance(data, list):
        return SequenceNode(tuple(_node(item, location) for item in data), location)
    if data is None or isinstance(data, bool | int | float | str):
        return ScalarNode(data, location, str(data))
    raise TypeError(f"no node for {data!r}")
