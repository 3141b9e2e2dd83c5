"""Scalars of a spec: what a field takes is what Pydantic takes, of which the JSON Schema is made."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from annotated_types import Ge, Gt, Interval, Le, Lt, MaxLen, MinLen, MultipleOf
from pydantic import ValidationError

from nnctl.components.fields import Duration, Period
from nnctl.spec.schema.forms import Leaf, form_of

VALUES = [
    None, True, False, 0, 1, -1, 2, 7, 10**400, -0.0, 0.5, 1.0, 2.0, 1e308, float("inf"), float("-inf"), float("nan"),
    "", "a", "abc", "1", "true", "2 epochs", "2 epochs\n", "0 steps", "1.5 hours", "\ud800", "äöü",
]  # fmt: skip
ANNOTATIONS: list[Any] = [
    int, float, str, bool, Period, Duration,
    Annotated[int, Gt(0)], Annotated[int, Ge(0), Le(1)], Annotated[int, MultipleOf(2)],
    Annotated[float, Gt(0), Lt(1)], Annotated[float, Interval(ge=0, le=1)],
    Annotated[str, MinLen(1)], Annotated[str, MinLen(1), MaxLen(2)],
]  # fmt: skip


@pytest.mark.parametrize("annotation", ANNOTATIONS, ids=str)
def test_a_leaf_takes_what_pydantic_takes(annotation: Any) -> None:
    leaf = form_of(annotation)
    assert isinstance(leaf, Leaf)
    for value in VALUES:
        try:
            wanted = leaf.adapter.validate_python(value)
        except ValidationError:
            assert not leaf.accepts(value), value
            continue
        taken = leaf.taken(value)
        assert (type(taken), repr(taken)) == (type(wanted), repr(wanted))
