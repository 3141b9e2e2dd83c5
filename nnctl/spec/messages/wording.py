"""The words of messages: what a form expects, what a node holds."""

from __future__ import annotations

from collections.abc import Iterable

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt, MaxLen, MinLen, MultipleOf

from nnctl.components.fields import Pattern
from nnctl.spec.schema.forms import Anything, ChoiceForm, Field, Form, Leaf, ListOf, MapOf, Null, OneOf, Record, Variant
from nnctl.spec.yaml.scalars import write_float
from nnctl.spec.yaml.tree import MappingNode, Node, ScalarNode, SequenceNode

_BASES = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
_ARTICLE_AN = "aeiou"
MAX_SHOWN = 40
MOST_LISTED = 64


def article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{'an' if noun[:1] in _ARTICLE_AN else 'a'} {noun}"


def either(words: Iterable[str]) -> str:
    """'a', 'a or b', 'a, b or c'."""
    parts = list(words)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} or {parts[-1]}"


def both(words: Iterable[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    parts = list(words)
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def listing(names: Iterable[str]) -> str:
    """The names, comma between them; of very many, the first and the number of the others."""
    listed = list(names)
    if len(listed) <= MOST_LISTED:
        return ", ".join(listed)
    return f"{', '.join(listed[:MOST_LISTED])} and {len(listed) - MOST_LISTED:,} others"


def expected(form: Form) -> str:
    """The values that a form accepts, as the object of "expected"."""
    match form:
        case Leaf():
            return _leaf(form)
        case ChoiceForm(values):
            return either(literal(v) for v in values)
        case Null():
            return "null"
        case Anything():
            return "any value"
        case Record():
            return "a mapping"
        case Variant():
            return f"the name of {article(kind_name(form.kind))}, or a mapping with 'type'"
        case ListOf(item, least, most, fixed):
            return _list(item, least, most, fixed)
        case MapOf(key, value):
            return f"a mapping from {_plural(key)} to {_plural(value)}"
        case OneOf(forms):
            return _union(forms)


def _union(forms: tuple[Form, ...]) -> str:
    parts: list[str] = []
    for form in forms:
        parts += [literal(v) for v in form.values] if isinstance(form, ChoiceForm) else [expected(form)]
    # Null last, and before it what has a comma of its own.
    parts.sort(key=lambda words: (words == "null", "," in words))
    if len(parts) > 1 and "," in parts[-2]:
        return f"{either(parts[:-1])}, or {parts[-1]}"
    return either(parts)


def expected_of(field: Field) -> str:
    """The values that a field accepts, with its description."""
    words = expected(field.form)
    return f"{words} ({field.description})" if field.description else words


KIND_NAMES = {"data": "data source"}


def kind_name(kind: str) -> str:
    """The noun for a kind of component."""
    return KIND_NAMES.get(kind, kind)


def literal(value: object) -> str:
    """A value as a spec writes it."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return write_float(value)
        case str():
            return f"'{short(value)}'"
        case _:
            return short(str(value))


def content(node: Node) -> str:
    """The content of a node, as in "cannot be …"."""
    match node:
        case SequenceNode(items):
            return "an empty list" if not items else "a list"
        case MappingNode(entries):
            return "an empty mapping" if not entries else "a mapping"
        case ScalarNode(value, _, text, quoted):
            if value is None:
                return "null" if text else "nothing"
            if isinstance(value, str):
                return f"the string '{short(value)}'" if value else "an empty string"
            return f"the string '{short(text)}'" if quoted else short(text)


def short(text: str) -> str:
    """A text of the spec in a line of a message."""
    line = text.replace("\n", "\\n")
    return line if len(line) <= MAX_SHOWN else line[: MAX_SHOWN - 1] + "…"


def _leaf(form: Leaf) -> str:
    noun = _BASES[form.base]
    if pattern := next((b for b in form.bounds if isinstance(b, Pattern)), None):
        return pattern.words
    if form.base is str:
        least = next((b.min_length for b in form.bounds if isinstance(b, MinLen)), 0)
        return "a non-empty string" if least == 1 else f"a string of at least {least} characters" if least else noun
    return f"{noun} {' and '.join(words)}" if (words := [_bound(b) for b in form.bounds]) else noun


def _bound(bound: BaseMetadata) -> str:
    match bound:
        case Gt(limit):
            return f"greater than {limit}"
        case Ge(limit):
            return f"of at least {limit}"
        case Lt(limit):
            return f"below {limit}"
        case Le(limit):
            return f"of at most {limit}"
        case MultipleOf(step):
            return f"divisible by {step}"
        case MaxLen(most):
            return f"of at most {most}"
        case _:
            raise TypeError(f"no words for the bound {bound!r}")


def _list(item: Form, least: int, most: int | None, fixed: tuple[Form, ...]) -> str:
    if fixed:
        if len({expected(f) for f in fixed}) == 1:
            return f"a list of {len(fixed)} {_plural(item)}"
        return f"a list of {', '.join(expected(f) for f in fixed)}"
    words = f"a list of {_plural(item)}"
    if most is not None:
        return f"{words}, {least} to {most} of them"
    return f"a non-empty {words[2:]}" if least == 1 else f"{words}, at least {least}" if least else words


def _plural(form: Form) -> str:
    match form:
        case Leaf():
            words = _leaf(form)
            for single, several in (
                ("a whole number", "whole numbers"),
                ("a number", "numbers"),
                ("a non-empty string", "names"),
                ("a string", "strings"),
                ("true or false", "true or false"),
            ):
                if words.startswith(single):
                    return several + words[len(single) :]
            return words
        case Variant():
            name = kind_name(form.kind)
            return f"{name[:-1]}ies" if name.endswith("y") else f"{name}s"
        case ListOf():
            return f"lists of {_plural(form.item)}"
        case Record() | MapOf():
            return "mappings"
        case Anything():
            return "values"
        case _:
            return f"values, each {expected(form)}"
