"""Random specs, drawn from the same forms that validate them."""

from __future__ import annotations

import math
from typing import Any

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from hypothesis import strategies as st

from nnctl.components.fields import Pattern
from nnctl.spec.document import Spec
from nnctl.spec.schema.forms import (
    Anything,
    ChoiceForm,
    Form,
    Leaf,
    ListOf,
    MapOf,
    Null,
    OneOf,
    Record,
    Variant,
    alternatives,
    fields_of,
)

MAX_DEPTH = 4
TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co")) | st.sampled_from("\n\t: #'\"-0\x85\u2028"), max_size=12
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT


def specs() -> st.SearchStrategy[Any]:
    """Whole specs as plain data, each field absent or drawn."""
    return record(Spec, 0)


def values(form: Form, depth: int) -> st.SearchStrategy[Any]:
    match form:
        case Leaf():
            return leaf(form)
        case ChoiceForm(options):
            return st.sampled_from(options)
        case Null():
            return st.none()
        case Anything():
            return SCALARS | st.lists(SCALARS, max_size=2)
        case OneOf(forms):
            return st.one_of([values(f, depth) for f in forms])
        case Record(cls):
            return record(cls, depth)
        case Variant():
            return component(form, depth)
        case ListOf(item, least, most, fixed):
            if fixed:
                return st.tuples(*(values(f, depth + 1) for f in fixed)).map(list)
            size = min(most, least + 2) if most is not None else least + 2
            return st.lists(values(item, depth + 1), min_size=least, max_size=size)
        case MapOf(_, value):
            return st.dictionaries(TEXT, values(value, depth + 1), max_size=2)


def leaf(form: Leaf) -> st.SearchStrategy[Any]:
    if form.base is bool:
        return st.booleans()
    if pattern := next((b for b in form.bounds if isinstance(b, Pattern)), None):
        return st.from_regex(pattern.regex, fullmatch=True)
    if form.base is str:
        least = max((b.min_length for b in form.bounds if isinstance(b, MinLen)), default=0)
        most = min((b.max_length for b in form.bounds if isinstance(b, MaxLen)), default=12)
        return TEXT.filter(lambda text: least <= len(text) <= most)
    low: Any = -1e6
    high: Any = 1e6
    for bound in form.bounds:
        match bound:
            case Gt(limit):
                low = limit + 1 if form.base is int else math.nextafter(float(limit), math.inf)
            case Ge(limit):
                low = limit
            case Lt(limit):
                high = limit - 1 if form.base is int else math.nextafter(float(limit), -math.inf)
            case Le(limit):
                high = limit
    return st.integers(int(low), int(high)) if form.base is int else st.floats(low, high)


def component(form: Variant, depth: int) -> st.SearchStrategy[Any]:
    candidates = form.candidates()
    if depth >= MAX_DEPTH:
        flat = [
            n for n, cls in candidates.items() if not any(nests(f.form) for f in fields_of(cls).values() if f.required)
        ]
        candidates = {name: candidates[name] for name in flat}
    return st.sampled_from(sorted(candidates)).flatmap(
        lambda name: record(candidates[name], depth + 1).map(lambda fields: {"type": name, **fields})
    )


def nests(form: Form) -> bool:
    return any(isinstance(f, Variant) or (isinstance(f, ListOf) and nests(f.item)) for f in alternatives(form))


def record(cls: type, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    required, optional = {}, {}
    for name, field in fields_of(cls).items():
        if field.required:
            required[name] = st.deferred(lambda form=field.form: values(form, depth + 1))
        elif depth < MAX_DEPTH or not nests(field.form):
            optional[name] = st.deferred(lambda form=field.form: values(form, depth + 1))
    return st.fixed_dictionaries(required, optional=optional)
