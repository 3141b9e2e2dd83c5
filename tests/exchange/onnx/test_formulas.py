"""Every primitive and every activation, as onnxruntime computes it."""

from __future__ import annotations

import numpy as np
import pytest
from exported import graph_of, run

from nnctl.components.base import ElementwiseActivation
from nnctl.components.registry import components
from nnctl.errors import UsageError
from nnctl.exchange.onnx.formulas import PRIMITIVES_SAID, formula
from nnctl.exchange.onnx.writer import Operand, Writer
from nnctl.ops.elementwise import ElementwiseOp
from nnctl.ops.expression import Expression, Line
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.primitives import PRIMITIVES

pytest.importorskip("onnxruntime")

X = np.concatenate([np.linspace(-30.0, 30.0, 241), [1e-7, -1e-7, 1e-4, -1e-4, 0.0, 88.0, -88.0]]).astype(np.float32)
POSITIVE = {"log", "sqrt", "log1p", "power"}


def held(op: ElementwiseOp, *inputs: np.ndarray, atol: float = 2e-7) -> None:
    with np.errstate(all="ignore"):
        (wanted,) = op.run(numpy_namespace(), [x.astype(np.float64) for x in inputs], {})
    (result,) = run(graph_of(op, inputs, {}), inputs)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(result, np.asarray(wanted, np.float32), rtol=5e-6, atol=atol, err_msg=op.name)


def test_every_primitive_is_said() -> None:
    assert set(PRIMITIVES_SAID) == set(PRIMITIVES)


@pytest.mark.parametrize("name", sorted(set(PRIMITIVES) - {"where", "tan"}))
def test_a_primitive(name: str) -> None:
    x = np.abs(X) + 1e-6 if name in POSITIVE else X
    if name in ("exp", "sinh", "cosh", "expm1"):
        x = x[np.abs(x) < 80]
    others = [np.full_like(x, 1.5), x[::-1].copy()]
    line = Line(name, tuple(range(PRIMITIVES[name].arity)))
    arity = PRIMITIVES[name].arity
    if name in ("divide", "reciprocal"):
        x = x[x != 0.0]
        others = [np.full_like(x, 1.5)]
    for other in others if arity == 2 and name != "power" else others[:1]:
        held(ElementwiseOp(name, arity, Expression(arity, (line,), (arity,))), *[x, other][:arity])


@pytest.mark.parametrize("name", ["expm1", "log1p"])
def test_no_digits_are_lost_near_0(name: str) -> None:
    op = ElementwiseOp(name, 1, lambda xp, x: getattr(xp, name)(x))
    x = np.array([1e-30, 1e-8, -1e-7, 3e-5, -1e-3, 0.0], np.float32)
    (result,) = run(graph_of(op, [x], {}), [x])
    np.testing.assert_allclose(result, getattr(np, name)(x.astype(np.float64)), rtol=1e-6)


def test_log1p_at_its_ends() -> None:
    op = ElementwiseOp("log1p", 1, lambda xp, x: xp.log1p(x))
    x = np.array([np.inf, -1.0], np.float32)
    (result,) = run(graph_of(op, [x], {}), [x])
    assert result.tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize(
    "name", sorted(n for n, c in components("activation").items() if issubclass(c, ElementwiseActivation))
)
def test_an_activation(name: str) -> None:
    for convention in ("torch", "keras"):
        # A logistic function times −18 has 18 times its rounding.
        held(ElementwiseOp(name, 1, activation(name, convention).body), X, atol=2e-6)


def activation(name: str, convention: str = "torch") -> ElementwiseActivation:
    made: ElementwiseActivation = components("activation")[name]().for_convention(convention)
    return made


def test_a_function_that_onnx_has_not_is_refused() -> None:
    op = ElementwiseOp("airy", 1, Expression(1, (Line("airy", (0,)),), (1,)))
    with pytest.raises(UsageError, match="layer 'odd' cannot be exported to ONNX: it has no function 'airy'"):
        run(graph_of(op, [X], {}), [X])


def test_named_nodes_where_onnx_has_one() -> None:
    for name, node in (("sigmoid", "Sigmoid"), ("relu", "Relu"), ("tanh", "Tanh")):
        w = Writer()
        op = ElementwiseOp(name, 1, activation(name).body)
        formula(w, op.expression, [Operand("z", (3,), "real")])
        assert [made.op_type for made in w.nodes] == [node]
