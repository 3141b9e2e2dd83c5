"""Validation: the marked tree to dataclasses, or every problem of the file at once.

One walk over the fields' forms, which decide whether a scalar is right; the words for
what is wrong are made from the same form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, Final, TypeAlias, cast

from nnctl.components.registry import Component, Problem, components
from nnctl.errors import MOST_PROBLEMS, Diagnostic, Location, SpecError
from nnctl.late import dataclass
from nnctl.spec.document import Spec
from nnctl.spec.messages import hints
from nnctl.spec.messages.wording import article, both, content, expected, expected_of, kind_name, listing, short
from nnctl.spec.schema.forms import (
    Anything,
    ChoiceForm,
    Field,
    Form,
    Leaf,
    ListOf,
    MapOf,
    Null,
    OneOf,
    Record,
    Variant,
    alternatives,
    bare,
    fields_of,
    nullable,
    required_of,
)
from nnctl.spec.yaml.tree import MappingNode, Node, ScalarNode, SequenceNode, plain_data, text_of

_LARGEST, _SMALLEST = 3.4e38, 1.2e-38
"""Of the numbers that single precision holds with all their digits."""


@dataclass(frozen=True)
class Place:
    """The location of a value, and of its key; list items have none."""

    value: Location
    key: Location | None = None


@dataclass(frozen=True)
class Validated:
    """A spec and the places of all its values by path, e.g. "layers.2.units"; "" is the root."""

    spec: Spec
    places: Mapping[str, Place]


Values: TypeAlias = "dict[tuple[int, int], Any]"
"""Values of valid nodes, by the identities of the node and of its form. Who holds it holds the nodes, too."""


def validate(root: Node, known: Values | None = None, *, learn: bool = False) -> Validated:
    """The spec that a tree holds. Raises SpecError with all problems, in the order of the text.

    known: of nodes that were validated before, as trees made by overrides share theirs; the
    parts of those have no places in what is returned. learn: enter the nodes of this tree.
    """
    walker = _Walker(known={} if known is None else known, learn=learn)
    spec = walker.record(root, Spec, "", "the spec", None)
    if walker.problems:
        raise SpecError(in_order(walker.problems, root.location.path))
    return Validated(cast(Spec, spec), walker.places)


def in_order(problems: list[Diagnostic], name: str) -> list[Diagnostic]:
    """Problems in the order of their locations: the file first, then what comes from elsewhere."""

    def key(problem: Diagnostic) -> tuple[bool, int, int]:
        place = problem.location
        return (True, 0, 0) if place is None else (place.path != name, place.line, place.column)

    return sorted(problems, key=key)


class _Bad:
    """A placeholder for a value with a problem."""


_BAD: Final = _Bad()


@dataclass
class _Walker:
    problems: list[Diagnostic] = field(default_factory=list)
    places: dict[str, Place] = field(default_factory=dict)
    known: Values = field(default_factory=dict)
    learn: bool = False

    def problem(self, location: Location, message: str, expected: str = "", hint: str = "") -> _Bad:
        self.problems.append(Diagnostic(message, location, expected, hint))
        return _BAD

    def hint(self, of: Callable[..., str], *arguments: Any) -> str:
        """A hint, which takes long to find: none for problems behind those that are printed."""
        return of(*arguments) if len(self.problems) < MOST_PROBLEMS else ""

    def value(self, node: Node, form: Form, path: str, label: str, owner: Field | None) -> Any:
        """The value of a node, or _BAD. `label`: its name in messages; `owner`: the field it is part of."""
        key = (id(node), id(form))
        if key in self.known:
            return self.known[key]
        value = self.unknown(node, form, path, label, owner)
        if self.learn and value is not _BAD:
            self.known[key] = value
        return value

    def unknown(self, node: Node, form: Form, path: str, label: str, owner: Field | None) -> Any:
        match form:
            case OneOf():
                return self.union(node, form, path, label, owner)
            case Variant():
                return self.component(node, form, path, label, owner)
            case Record(cls):
                return self.record(node, cls, path, label, owner)
            case ListOf():
                return self.list(node, form, path, label, owner)
            case MapOf():
                return self.map(node, form, path, label, owner)
            case Anything():
                return plain_data(node)
            case Leaf() | ChoiceForm() | Null():
                value = _scalar(node, form)
                return self.mismatch(node, form, label, owner) if value is _BAD else value

    def mismatch(self, node: Node, form: Form, label: str, owner: Field | None) -> _Bad:
        # A part of a field (an item of its list) is described by its own form, not the field's.
        field = owner if owner is not None and owner.form == form else None
        words = expected(form) if field is None else expected_of(field)
        hint = self.hint(hints.for_value, node, form, field)
        return self.problem(node.location, f"{label} cannot be {content(node)}", words, hint)

    def union(self, node: Node, form: OneOf, path: str, label: str, owner: Field | None) -> Any:
        if isinstance(node, ScalarNode) and node.value is None and nullable(form):
            return None
        fitting = [f for f in alternatives(form) if _fits(node, f)]
        trials = []
        for option in fitting:
            trial = _Walker(known=self.known, learn=self.learn)
            value = trial.value(node, option, path, label, owner)
            if not trial.problems:
                self.places |= trial.places
                return value
            trials.append((option, trial))
        deep = [trial for option, trial in trials if not isinstance(option, Leaf | ChoiceForm)]
        if len(trials) == 1 and deep:
            self.problems += deep[0].problems
            return _BAD
        return self.mismatch(node, form, label, owner)

    def list(self, node: Node, form: ListOf, path: str, label: str, owner: Field | None) -> Any:
        if not isinstance(node, SequenceNode):
            return self.mismatch(node, form, label, owner)
        count = len(node.items)
        if count < form.least or (form.most is not None and count > form.most):
            items = "item" if count == 1 else "items"
            message = f"{label} cannot be {content(node) if not count else f'a list of {count} {items}'}"
            words = expected_of(owner) if owner is not None and owner.form == form else expected(form)
            return self.problem(node.location, message, words)
        values = []
        for index, item in enumerate(node.items):
            inner = f"{path}.{index}"
            self.places[inner] = Place(item.location)
            item_form = form.fixed[index] if form.fixed else form.item
            values.append(self.value(item, item_form, inner, f"item {index + 1} of {label}", owner))
        return _BAD if _BAD in values else tuple(values)

    def map(self, node: Node, form: MapOf, path: str, label: str, owner: Field | None) -> Any:
        if not isinstance(node, MappingNode):
            return self.mismatch(node, form, label, owner)
        values: dict[Any, Any] = {}
        good = True
        for name, entry in node.entries.items():
            inner = f"{path}.{name}"
            self.places[inner] = Place(entry.value.location, entry.key.location)
            # A key of digits is still a name where names are wanted.
            key = name if isinstance(form.key, Leaf) and form.key.base is str else _scalar(entry.key, form.key)
            if key is _BAD:
                key = self.problem(
                    entry.key.location, f"a key of {label} cannot be {content(entry.key)}", expected(form.key)
                )
            value = self.value(entry.value, form.value, inner, f"'{name}' of {label}", owner)
            good = good and key is not _BAD and value is not _BAD
            values[key] = value
        return values if good else _BAD

    def record(self, node: Node, cls: type, path: str, label: str, owner: Field | None) -> Any:
        if not isinstance(node, MappingNode):
            form = Record(cls)
            if owner is not None:
                return self.mismatch(node, owner.form if form in alternatives(owner.form) else form, label, owner)
            return self.problem(
                node.location,
                f"a spec cannot be {content(node)}",
                "a mapping with at least 'data', 'layers' and 'cost'",
            )
        self.places.setdefault(path, Place(node.location))
        return self.fields(node, cls, path, label, {})

    def component(self, node: Node, form: Variant, path: str, label: str, owner: Field | None) -> Any:
        candidates = form.candidates()
        self.places.setdefault(path, Place(node.location))
        if isinstance(node, MappingNode):
            return self.typed(node, form, candidates, path, owner)
        name = text_of(node)
        if name is None:
            return self.mismatch(node, form, label, owner)
        cls = self.named(name, node.location, form, candidates, owner)
        if isinstance(cls, _Bad):
            return _BAD
        if bare(cls):
            return self.checked(cls(), path)
        return self.lacking(node.location, cls, frozenset(), f"{kind_name(form.kind)} '{name}'")

    def typed(
        self, node: MappingNode, form: Variant, candidates: dict[str, type[Any]], path: str, owner: Field | None
    ) -> Any:
        type_node = node.get("type")
        noun = kind_name(form.kind)
        if type_node is None:
            self.problem(
                node.location,
                f"{article(noun)} needs a 'type'",
                "" if len(candidates) > 24 else f"type: one of {listing(candidates)}",
                hints.for_untyped(node, form),
            )
            return self.parts(node, candidates, path)
        name = text_of(type_node)
        if name is None:
            return self.problem(
                type_node.location, f"'type' cannot be {content(type_node)}", f"the name of {article(noun)}"
            )
        cls = self.named(name, type_node.location, form, candidates, owner)
        if not isinstance(cls, _Bad):
            return self.fields(node, cls, path, f"{noun} '{name}'", candidates)
        # Of a distant guess its fields would be blamed for what was never meant.
        if meant := hints.meant_type(name, candidates, near=0.75):
            self.fields(node, candidates[meant], path, f"{noun} '{meant}'", candidates)
            return _BAD
        return self.parts(node, candidates, path)

    def parts(self, node: MappingNode, candidates: dict[str, type[Any]], path: str) -> _Bad:
        """The problems inside a component of unknown type: of fields that none takes that has them."""
        for name, entry in node.entries.items():
            known = [fields_of(cls)[name] for cls in candidates.values() if name in fields_of(cls) and name != "type"]
            trials = []
            for which in (one for i, one in enumerate(known) if all(one.form != other.form for other in known[:i])):
                trial = _Walker(known=self.known)
                trial.value(entry.value, which.form, f"{path}.{name}", f"'{name}'", which)
                trials.append(trial.problems)
            if trials and all(trials):
                self.problems += trials[0]
        return _BAD

    def named(
        self, name: str, location: Location, form: Variant, candidates: dict[str, type[Any]], owner: Field | None
    ) -> type[Any] | _Bad:
        if name in candidates:
            return candidates[name]
        known = name in components(form.kind)
        return self.problem(
            location,
            f"{kind_name(form.kind)} '{name}' cannot stand here"
            if known
            else f"there is no {kind_name(form.kind)} '{short(name)}'",
            f"one of {listing(candidates)}" if candidates else "",
            self.hint(hints.for_unknown_type, name, form.kind, candidates, owner),
        )

    def fields(self, node: MappingNode, cls: type, path: str, title: str, siblings: dict[str, type]) -> Any:
        """An instance of a dataclass. `title`: its name in messages; `siblings`: components of its kind."""
        known = fields_of(cls)
        typed = issubclass(cls, Component)
        values: dict[str, Any] = {}
        good = True
        meant: set[str] = set()
        beside: dict[str, list[str]] = {}
        """The keys by the file or option that they are from: a key of --set may mean one of the file's."""
        for name, entry in node.entries.items():
            beside.setdefault(entry.key.location.path, []).append(name)
        for name, entry in node.entries.items():
            if typed and name == "type":
                continue
            inner = f"{path}.{name}" if path else name
            if name not in known:
                good = False
                present = beside[entry.key.location.path]
                hint = self.hint(hints.for_unknown_key, name, entry.value, cls, siblings, present)
                meant |= {meant_name for meant_name in known if hint == hints.did_you_mean(meant_name)}
                self.problem(entry.key.location, f"unknown key '{short(name)}' in {title}", _keys(known), hint)
                continue
            self.places[inner] = Place(entry.value.location, entry.key.location)
            value = self.value(entry.value, known[name].form, inner, f"'{name}'", known[name])
            good = good and value is not _BAD
            values[known[name].attribute] = value
        # A required key that is only misspelt has its message already.
        told = frozenset(node.entries) | meant
        if not required_of(cls) <= told:
            return self.lacking(node.location, cls, told, title)
        return self.checked(cls(**values), path) if good else _BAD

    def lacking(self, location: Location, cls: type, present: frozenset[str], title: str) -> _Bad:
        missing = [f for f in fields_of(cls).values() if f.required and f.name not in present]
        names = both(f"'{f.name}'" for f in missing)
        words = "; ".join(f"{f.name}: {expected_of(f)}" for f in missing)
        hint = ""
        if issubclass(cls, Component) and not present:
            hint = f"write {{type: {cls.type}, {', '.join(f'{f.name}: …' for f in missing)}}}"
        return self.problem(location, f"{title} needs {names}", words, hint)

    def checked(self, instance: Any, path: str) -> Any:
        """The instance, unless its fields do not go together."""
        if not isinstance(instance, Component):
            return instance
        problems = [*instance.problems(), *_beyond_single(instance)]
        for problem in problems:
            inner = f"{path}.{problem.field}"
            location = self.places.get(inner, self.places[path]).value
            self.problem(location, problem.message, hint=problem.hint)
        return _BAD if problems else instance


def _beyond_single(component: Component) -> Iterator[Problem]:
    """Numbers of a step that single precision does not hold: they would be infinite there, lose digits, or be 0."""
    for each in fields_of(type(component)).values() if component.in_steps else ():
        values = getattr(component, each.attribute)
        for value in values if isinstance(values, tuple) else (values,):
            if not isinstance(value, float) or value == 0.0 or not math.isfinite(value):
                continue
            if abs(value) > _LARGEST:
                yield Problem(each.name, f"{value:g} is too large for single precision", f"at most {_LARGEST:.2g}")
            elif abs(value) < _SMALLEST:
                yield Problem(each.name, f"{value:g} is too small for single precision", f"at least {_SMALLEST:.2g}")


def _keys(known: Mapping[str, Field]) -> str:
    return f"one of {listing(known)}" if len(known) > 1 else f"'{next(iter(known))}'" if known else "no key but 'type'"


def _fits(node: Node, form: Form) -> bool:
    """True where a node is of the shape that a form wants; its content is checked elsewhere."""
    match form:
        case Leaf() | ChoiceForm() | Null():
            return isinstance(node, ScalarNode)
        case Variant():
            return isinstance(node, MappingNode) or text_of(node) is not None
        case Record() | MapOf():
            return isinstance(node, MappingNode)
        case ListOf():
            return isinstance(node, SequenceNode)
        case Anything():
            return True
        case OneOf(forms):
            return any(_fits(node, f) for f in forms)


def _scalar(node: Node, form: Form) -> Any:
    if not isinstance(node, ScalarNode):
        return _BAD
    value = node.value
    match form:
        case Null():
            return None if value is None else _BAD
        case ChoiceForm(values):
            # 1, 1.0 and true are equal in Python but not in a spec.
            return next((v for v in values if type(v) is type(value) and v == value), _BAD)
        case Leaf():
            try:
                return form.taken(value)
            except ValueError:
                return _BAD
        case _:
            raise TypeError(f"{form!r} is no scalar")
