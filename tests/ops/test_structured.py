"""A walk through the op table: types, costs, first and second derivatives of every row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from nnctl.ops import OPS
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.shapes import TensorType
from nnctl.ops.table import StructuredOp
from ops.derivatives import check_op, complex_step

UNDIFFERENTIATED = {"stop_gradient", "gather", "norm"}
"""Functions that do vary with a real input and have no derivative on purpose."""

SCANS = {"rnn", "lstm", "gru", "rnn_gradient", "lstm_gradient", "gru_gradient", "leaky_rnn"}
"""Ops whose derivatives, first and second, are long graphs."""

KINDS = {"real": "fc", "index": "iu", "uint8": "u"}


def samples(op: StructuredOp, count: int, seed: int = 0):
    rng = np.random.default_rng([seed, *op.name.encode()])
    for _ in range(count):
        inputs, attributes = op.sample(rng)
        yield [np.asarray(x) for x in inputs], attributes, rng


def type_of(array: np.ndarray) -> TensorType:
    return TensorType(array.shape, "real" if array.dtype.kind in "fc" else "index")


@pytest.mark.parametrize("name", OPS)
def test_the_type_rule_is_what_the_body_gives(name):
    op = OPS[name]
    for inputs, attributes, _ in samples(op, 40):
        types = op.infer([type_of(x) for x in inputs], attributes)
        outputs = op.run(numpy_namespace(), inputs, attributes)
        for output, inferred in zip(outputs, types, strict=True):
            assert np.shape(output) == inferred.shape
            assert np.asarray(output).dtype.kind in KINDS[inferred.dtype]


@pytest.mark.parametrize("name", OPS)
def test_the_body_leaves_its_inputs_alone(name):
    op = OPS[name]
    for inputs, attributes, _ in samples(op, 5):
        for x in inputs:
            x.setflags(write=False)
        op.run(numpy_namespace(), inputs, attributes)


@pytest.mark.parametrize("name", OPS)
def test_the_body_keeps_float32(name):
    op = OPS[name]
    for inputs, attributes, _ in samples(op, 10):
        if not any(x.dtype.kind == "f" for x in inputs):
            continue
        narrow = [x.astype(np.float32) if x.dtype.kind == "f" else x for x in inputs]
        both = (op.run(numpy_namespace(), xs, attributes) for xs in (inputs, narrow))
        for wide, output in zip(*both, strict=True):
            np.testing.assert_allclose(output, wide, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", OPS)
def test_flops_are_counted(name):
    op = OPS[name]
    for inputs, attributes, _ in samples(op, 5):
        types = [type_of(x) for x in inputs]
        flops = op.flops(types, op.infer(types, attributes), attributes)
        assert isinstance(flops, (int, np.integer))
        assert flops >= 0


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SCANS else ())
        for name in OPS
        if OPS[name].derivative is not None
    ],
)
def test_derivatives(name):
    for inputs, attributes, rng in samples(OPS[name], 25):
        check_op(OPS[name], inputs, attributes, rng)


@pytest.mark.parametrize("name", [n for n in OPS if OPS[n].derivative is None and n not in UNDIFFERENTIATED])
def test_ops_without_a_derivative_have_none(name):
    for inputs, attributes, _ in samples(OPS[name], 5):
        for i, x in enumerate(inputs):
            if x.dtype.kind == "f":
                body: Callable[..., object] = OPS[name].body
                slope = complex_step(lambda xp, *xs: np.sum(body(xp, *xs, **attributes)), inputs, i)  # noqa: B023
                assert not np.any(slope)


def _wrong(op: StructuredOp, factor: float) -> StructuredOp:
    def derivative(builder, g, *rest, **attributes):
        gradients = op.derivative(builder, g, *rest, **attributes)
        return [None if gradient is None else gradient * factor for gradient in gradients]

    return replace(op, derivative=derivative)


@pytest.mark.parametrize("name", ["softmax", "matmul", "mean", "softmax_log_likelihood", "pad"])
def test_a_planted_wrong_derivative_is_caught(name):
    inputs, attributes, rng = next(samples(OPS[name], 1, seed=3))
    check_op(_wrong(OPS[name], 1.0), inputs, attributes, rng)
    with pytest.raises(AssertionError, match=name):
        check_op(_wrong(OPS[name], 1.0 + 1e-8), inputs, attributes, rng)


def test_a_rule_that_is_right_once_but_not_twice_is_caught():
    """The gradient's own derivative is checked too: here it is lost after stop_gradient."""

    def derivative(builder, g, a, z):
        kept = builder.apply("stop_gradient", a)
        inner = builder.apply("sum", g * kept, axes=(1,), keepdims=True)
        return [kept * (g - inner)]

    inputs, attributes, rng = next(samples(OPS["softmax"], 1, seed=4))
    with pytest.raises(AssertionError, match="second derivative"):
        check_op(replace(OPS["softmax"], derivative=derivative), inputs, attributes, rng)


def test_a_likelihood_without_softmax_has_a_finite_slope_where_nothing_is_asked():
    a, labels = np.array([[1.0, 0.0]]), np.array([0])
    check_op(OPS["log_likelihood"], [a, labels], {}, np.random.default_rng(0))


def test_softmax_and_its_pair_do_not_overflow():
    z, labels = np.array([[1e4, 0.0, -1e4]]), np.array([2])
    xp = numpy_namespace()
    np.testing.assert_array_equal(OPS["softmax"].run(xp, [z], {})[0], [[1.0, 0.0, 0.0]])
    assert OPS["softmax_log_likelihood"].run(xp, [z, labels], {})[0] == [2e4]


def test_golden_likelihoods():
    xp, z = numpy_namespace(), np.array([[2.0, 1.0, 0.0]])
    op = OPS["softmax_log_likelihood"]
    assert op.run(xp, [z, np.array([0])], {})[0] == pytest.approx([0.4076059644], abs=1e-10)
    assert op.run(xp, [z, np.array([0])], {"label_smoothing": 0.1})[0] == pytest.approx([0.5076059644], abs=1e-10)
    two, weights = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]]), {"class_weights": (1.0, 2.0, 3.0)}
    total = op.run(xp, [two, np.array([0, 2])], weights)[0].sum() / 4.0
    assert total == pytest.approx(0.2292860058, abs=1e-10)


@pytest.mark.parametrize(
    ("name", "shapes", "attributes", "words"),
    [
        ("matmul", [(2, 3), (4, 5)], {}, "inner sizes 3 and 4 differ"),
        ("matmul", [(2, 3, 4), (4, 5)], {}, r"two matrices, got shapes \(2, 3, 4\)"),
        ("reshape", [(2, 3)], {"shape": (7,)}, "6 elements"),
        ("concatenate", [(2, 3), (3, 3)], {"axis": 1}, r"\(2, 3\) and \(3, 3\) differ outside axis 1"),
        ("broadcast_to", [(2, 3)], {"shape": (2, 4)}, "do not broadcast"),
        ("sum_to", [(3,)], {"shape": (2, 3)}, "does not sum"),
        ("log_likelihood", [(5, 2), (4,)], {}, "do not belong together"),
    ],
)
def test_type_rules_refuse_in_words(name, shapes, attributes, words):
    types = [TensorType(s) for s in shapes]
    with pytest.raises(ValueError, match=words):
        OPS[name].infer(types, attributes)
