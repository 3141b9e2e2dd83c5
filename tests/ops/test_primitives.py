"""The primitives: partials against numbers, and where ties go."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnctl.ops.primitives import PRIMITIVES, Primitive
from ops.derivatives import REAL, check_primitive, complex_step


def points_of(primitive: Primitive, seed: int) -> list[np.ndarray]:
    """Random arguments where the function is a number, at least 0.1 from every kink: 0 and equal arguments."""
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-2.5, 2.5, size=(primitive.arity, 4000))
    inside = np.min(np.abs(drawn), axis=0) > 0.1
    if primitive.arity > 1:
        inside &= np.abs(drawn[-1] - drawn[-2]) > 0.1
    arguments = [drawn[0] > 0.0, *drawn[1:]] if primitive.name == "where" else list(drawn)
    with np.errstate(all="ignore"):
        inside &= np.isfinite(getattr(REAL, primitive.name)(*arguments))
    if primitive.name == "log1p":
        # Near its pole central differences are off by more than any tolerance.
        inside &= drawn[0] > -0.8
    if primitive.name == "tan":
        inside &= np.abs(np.cos(drawn[0])) > 0.3
    assert inside.sum() > 300
    return [a[inside] for a in arguments]


@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("seed", [0, 1])
def test_partials(name, seed):
    check_primitive(PRIMITIVES[name], points_of(PRIMITIVES[name], seed))


@pytest.mark.parametrize("name", PRIMITIVES)
def test_notation_takes_every_argument(name):
    primitive = PRIMITIVES[name]
    text = primitive.notation.format(*"abc"[: primitive.arity])
    assert all(letter in text for letter in "abc"[: primitive.arity])


@pytest.mark.parametrize(
    ("name", "arguments", "partials"),
    [
        ("maximum", (1.0, 1.0), (1.0, 0.0)),
        ("minimum", (1.0, 1.0), (1.0, 0.0)),
        ("abs", (0.0,), (0.0,)),
        ("where", (True, 1.0, 1.0), (None, 1.0, 0.0)),
        ("logaddexp", (1e30, -1e30), (1.0, 0.0)),
        ("floor", (1.0,), (None,)),
    ],
)
def test_ties(name, arguments, partials):
    primitive = PRIMITIVES[name]
    inputs = [np.asarray(a) for a in arguments]
    output = getattr(REAL, name)(*inputs)
    found = tuple(None if p is None else float(p(REAL, output, *inputs)) for p in primitive.partials)
    assert found == partials
    for argument, partial in enumerate(partials):
        if partial is not None:
            assert float(complex_step(lambda xp, *xs: getattr(xp, name)(*xs), inputs, argument)) == partial


@pytest.mark.parametrize(
    ("name", "argument", "wrong"),
    [
        ("tanh", 0, lambda xp, y, x: 1.0 - 0.999999 * y * y),
        ("divide", 1, lambda xp, y, a, b: y / b),
        ("maximum", 1, lambda xp, y, a, b: 1.0),
        ("sign", 0, lambda xp, y, x: 1e-6),
        ("exp", 0, None),
    ],
)
def test_a_planted_wrong_partial_is_caught(name, argument, wrong):
    right = PRIMITIVES[name]
    partials = tuple(wrong if i == argument else p for i, p in enumerate(right.partials))
    points = points_of(right, 0)
    check_primitive(right, points)
    with pytest.raises(AssertionError, match=f"{name}, argument {argument}"):
        check_primitive(replace(right, partials=partials), points)
