"""Expressions: tracing, folding, evaluation, differentiation, text, and what formulas may not do."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nnctl.errors import FormulaError
from nnctl.ops.elementwise import ElementwiseOp, from_expression
from nnctl.ops.expression import Expression, trace
from nnctl.ops.notation import render
from nnctl.ops.primitives import PRIMITIVES
from nnctl.ops.shapes import TensorType
from ops.derivatives import EXACT, REAL, agree, check_op, complex_step

BINARY = ("add", "subtract", "multiply", "maximum", "minimum", "logaddexp")
UNARY = ("negative", "tanh", "square", "abs", "erf", "sign", "sin", "cos", "arctan")


@st.composite
def formulas(draw, arity: int = 3):
    """A random formula as Python would write it: a list of calls on earlier values or constants."""
    calls = []
    for number in range(draw(st.integers(1, 8))):
        reference = st.one_of(st.integers(0, arity + number - 1), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]))
        name = draw(st.sampled_from([*BINARY, *UNARY, "where"]))
        count = 1 if name in UNARY else 3 if name == "where" else 2
        calls.append((name, [draw(reference) for _ in range(count)]))
    return calls


def body_of(calls):
    def body(xp, *inputs):
        values = list(inputs)
        for name, references in calls:
            arguments = [values[r] if isinstance(r, int) else r for r in references]
            if name == "where":
                arguments[0] = xp.greater(arguments[0], 0.25)
            values.append(getattr(xp, name)(*arguments))
        return values[-1], values[len(values) // 2]

    return body


@settings(max_examples=150)
@given(formulas(), st.integers(0, 2**32 - 1))
def test_a_trace_evaluates_as_its_body_and_differentiates_as_numbers_do(calls, seed):
    body = body_of(calls)
    expression = trace(body, 3)
    points = list(np.random.default_rng(seed).uniform(-1.5, 1.5, size=(3, 20)))
    for found, expected in zip(expression.evaluate(REAL, *points), body(REAL, *points), strict=True):
        agree(found, np.broadcast_to(expected, 20), 1e-14, "evaluation")
    weights = [0.7, -1.3]

    def total(xp, *inputs):
        first, second = expression.evaluate(xp, *inputs)
        return weights[0] * first + weights[1] * second + 0.0 * inputs[0]

    for argument in range(3):
        (slope,) = expression.gradient(argument).evaluate(REAL, *weights, *points)
        numeric = complex_step(total, points, argument)
        # Equal operands of |·|, max and min are kinks that random points do not avoid: 0 − 0, max(x, x).
        if np.all(np.isclose(slope, numeric, rtol=EXACT, atol=EXACT)):
            continue
        assert _has_ties(expression, points)


def _has_ties(expression: Expression, points) -> bool:
    values = [np.broadcast_to(p, 20) for p in points]
    for line in expression.lines:
        arguments = [values[a] if isinstance(a, int) else np.full(20, a) for a in line.arguments]
        if line.primitive in ("maximum", "minimum") and np.any(arguments[0] == arguments[1]):
            return True
        if line.primitive in ("abs", "sign") and np.any(arguments[0] == 0.0):
            return True
        values.append(getattr(REAL, line.primitive)(*arguments))
    return False


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lambda xp, x: x + 0.0, 0),
        (lambda xp, x: 0.0 + x, 0),
        (lambda xp, x: x - 0.0, 0),
        (lambda xp, x: 1.0 * x, 0),
        (lambda xp, x: x * 1.0, 0),
        (lambda xp, x: x / 1.0, 0),
        (lambda xp, x: x * 0.0, 0.0),
        (lambda xp, x: xp.square(3.0) + 2.0 * 4.0 - 1.0, 16.0),
        (lambda xp, x: xp.negative(1.0) / 2.0, -0.5),
    ],
)
def test_what_constants_decide_is_decided(body, expected):
    expression = trace(body, 1)
    assert expression.lines == ()
    assert expression.results == (expected,)
    assert type(expression.results[0]) is type(expected)


def test_division_by_a_constant_0_is_left_to_run():
    assert [line.primitive for line in trace(lambda xp, x: x / 0.0, 1).lines] == ["divide"]


def test_equal_lines_are_written_once_and_unneeded_ones_not_at_all():
    expression = trace(lambda xp, x, y: (xp.exp(x) * xp.exp(x), xp.tanh(y) * 0.0), 2)
    assert [line.primitive for line in expression.lines] == ["exp", "multiply"]
    assert expression.used_inputs == (0,)


def test_the_signs_of_zero_are_two_constants():
    expression = trace(lambda xp, x: (xp.maximum(x, 0.0), xp.maximum(x, -0.0)), 1)
    assert len(expression.lines) == 2


def test_a_value_is_not_the_constant_of_the_same_number():
    """exp(x)·(x + exp(x)) and exp(x)·(x + 1): their lines differ in the reference 1 against the constant 1.0."""
    value = trace(lambda xp, x: xp.exp(x) * (x + xp.exp(x)), 1)
    constant = trace(lambda xp, x: xp.exp(x) * (x + 1.0), 1)
    assert value != constant
    assert value == trace(lambda xp, x: xp.exp(x) * (x + xp.exp(x)), 1)
    assert len({value, constant}) == 2
    assert value != "exp"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (lambda xp, a, b: a + b, "a + b"),
        (lambda xp, a, b: (a + b) * (a - b), "(a + b) * (a - b)"),
        (lambda xp, a, b: xp.square(a - b) * 0.5, "((a - b)²) * 0.5"),
        (lambda xp, a, b: xp.maximum(0.0, a), "max(0, a)"),
        (lambda xp, a, b: 1.0 / (1.0 + xp.exp(-a)), "1 / (1 + exp((-a)))"),
        (lambda xp, a, b: xp.where(xp.less(a, b), a, 0.1), "(a if (a < b) else 0.1)"),
        (lambda xp, a, b: xp.floor(xp.sin(a - b)), "⌊sin((a - b))⌋"),
        (lambda xp, a, b: (a, b * 2.0), "a, b * 2"),
        (lambda xp, a, b: a - (b - a), "a - (b - a)"),
        (lambda xp, a, b: (a - b) - a, "(a - b) - a"),
    ],
)
def test_text(body, text):
    rendered = render(trace(body, 2), ["a", "b"])
    assert rendered.removeprefix("(").removesuffix(")") == text.removeprefix("(").removesuffix(")")


@settings(max_examples=60)
@given(formulas(arity=2))
def test_the_text_means_the_formula(calls):
    """Python reads the printed formula, and finds the same numbers: the parentheses are right."""
    expression = trace(lambda xp, a, b: body_of(calls)(xp, a, b)[0], 2)
    text = render(expression, ["a", "b"]).replace("²", " ** 2.0")
    # Python does not write absolute values so.
    assume("|" not in text)
    scope = {name: getattr(REAL, name) for name in PRIMITIVES} | {"max": max, "min": min, "a": 0.3, "b": -0.7}
    found = eval(text, {"__builtins__": {}}, scope)
    (expected,) = expression.evaluate(REAL, 0.3, -0.7)
    assert float(found) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (lambda xp, x: x if x else 0.0, FormulaError, "branches on an array"),
        (lambda xp, x: x * (x > 0.0), FormulaError, "use xp.where"),
        (lambda xp, x: x == 0.0, FormulaError, "xp.equal"),
        (lambda xp, x: max(x, 0.0), FormulaError, "branches on an array"),
        (lambda xp, x: xp.gamma(x), FormulaError, "calls xp.gamma, which formulas have not\n  there are add, subtract"),
        (lambda xp, x: xp.maximum(x), FormulaError, "calls xp.maximum with 1 arguments: it takes 2"),
        (lambda xp, x: {x: 1}, TypeError, "unhashable"),
    ],
)
def test_what_formulas_may_not_do(body, error, words):
    with pytest.raises(error, match=words):
        trace(body, 1)


def test_every_primitive_can_be_traced():
    for name, primitive in PRIMITIVES.items():
        expression = trace(lambda xp, *xs: getattr(xp, name)(*xs), primitive.arity)  # noqa: B023
        assert [line.primitive for line in expression.lines] == [name]


# -- as an op --------------------------------------------------------------------


@pytest.mark.parametrize("shapes", [((3, 4), (3, 4)), ((3, 4), (4,)), ((3, 1), (1, 4)), ((), (2, 3)), ((1,), (5, 1))])
def test_an_elementwise_op_broadcasts_and_its_gradients_sum_back(shapes):
    rng = np.random.default_rng(0)
    op = ElementwiseOp("mix", 2, lambda xp, a, b: xp.tanh(a) * b + xp.square(b))
    check_op(op, [rng.standard_normal(s) for s in shapes], {}, rng)


def test_an_op_with_several_results_is_differentiated_through_each():
    rng = np.random.default_rng(0)
    op = ElementwiseOp("both", 2, lambda xp, a, b: (a * b, xp.exp(a), b))
    check_op(op, list(rng.standard_normal((2, 3, 2))), {}, rng)


@pytest.mark.parametrize("body", [lambda xp, a: 2.0 + 0.0 * a, lambda xp, a: a, lambda xp, a: 3.0 - a])
def test_degenerate_ops(body):
    rng = np.random.default_rng(0)
    check_op(ElementwiseOp("degenerate", 1, body), [rng.standard_normal((2, 3))], {}, rng)


def test_a_wrong_stated_rule_is_caught():
    rng = np.random.default_rng(0)
    body, x = (lambda xp, x: xp.tanh(x)), [rng.standard_normal(5)]
    check_op(ElementwiseOp("tanh", 1, body, (lambda xp, g, y, x: g * (1.0 - y * y),)), x, {}, rng)
    with pytest.raises(AssertionError, match="tanh"):
        check_op(ElementwiseOp("tanh", 1, body, (lambda xp, g, y, x: g * (1.0 - y),)), x, {}, rng)


def test_types_and_identity():
    op = ElementwiseOp("pair", 2, lambda xp, a, b: (a + b, a))
    assert op.infer([TensorType((3, 1)), TensorType((4,))], {}) == (TensorType((3, 4)),) * 2
    assert op.identity == ElementwiseOp("other name", 2, lambda xp, u, v: (u + v, u)).identity
    assert op.identity == from_expression("again", op.expression).identity
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\) do not broadcast"):
        op.infer([TensorType((3,)), TensorType((4,))], {})


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (lambda xp, a, b: 0.5 * xp.tanh(0.5 * (a + b)) + 0.5, "σ(a + b)"),
        (lambda xp, a, b: 0.5 + xp.tanh(a * 0.5) * 0.5, "σ(a)"),
        (lambda xp, a, b: a * (0.5 * xp.tanh(0.5 * a) + 0.5) - b, "(a * σ(a)) - b"),
        (lambda xp, a, b: 0.5 * xp.tanh(0.25 * a) + 0.5, "(0.5 * tanh((0.25 * a))) + 0.5"),
        (lambda xp, a, b: 0.5 * xp.tanh(0.5 * a) + b, "(0.5 * tanh((0.5 * a))) + b"),
    ],
)
def test_the_logistic_function_is_called_what_the_texts_call_it(body, text):
    assert render(trace(body, 2), ["a", "b"]) == text
