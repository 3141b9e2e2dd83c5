"""Derivatives judged by two methods that know nothing of the rules: the complex step and central differences.

The walking tests and the tests that plant a wrong rule call the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.backends.registry import reference_backend
from nnctl.graph.builder import GraphBuilder
from nnctl.graph.differentiate import differentiate
from nnctl.graph.ir import Graph
from nnctl.graph.passes import drop_dead
from nnctl.graph.tensor import Tensor
from nnctl.graph.verify import verify
from nnctl.ops.expression import trace
from nnctl.ops.namespaces import numpy_namespace
from nnctl.ops.primitives import Primitive
from nnctl.ops.table import Op
from nnctl.plan.lower import lower

Array = NDArray[Any]

TINY = 1e-30
"""The complex step. Its square vanishes beside 1, so the step has no truncation error."""
EPSILON = 1e-5

EXACT = 1e-11
"""Relative error allowed against the complex step: rounding."""
APPROXIMATE = 1e-6
"""Relative error allowed against central differences: truncation at EPSILON."""

REAL = numpy_namespace()
COMPLEX = numpy_namespace(complex_step=True)


def agree(found: Any, expected: Any, tolerance: float, what: str) -> None:
    """AssertionError where two arrays differ by more than `tolerance` of their size."""
    expected = np.asarray(expected)
    found = np.broadcast_to(np.asarray(found), expected.shape)
    size = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    error = float(np.max(np.abs(found - expected), initial=0.0)) / size
    assert error <= tolerance, f"{what}: relative error {error:.3g}\nrule    {found}\nnumeric {expected}"


# -- formulas of numbers -----------------------------------------------------------


def complex_step(function: Callable[..., Any], points: Sequence[Array], argument: int) -> Array:
    """∂function/∂argument at many points at once; function: (xp, *arrays) -> array, elementwise."""
    shifted = [p + TINY * 1j if i == argument else p for i, p in enumerate(points)]
    with np.errstate(all="ignore"):
        return np.imag(np.asarray(function(COMPLEX, *shifted)) + 0j * points[argument]) / TINY


def central_difference(function: Callable[..., Any], points: Sequence[Array], argument: int) -> Array:
    """The same by (f(x + ε) − f(x − ε))/2ε."""

    def at(shift: float) -> Array:
        moved = [p + shift if i == argument else p for i, p in enumerate(points)]
        # A comparison gives truth values, which cannot be subtracted.
        return np.asarray(function(REAL, *moved)) * 1.0

    with np.errstate(all="ignore"):
        return (at(EPSILON) - at(-EPSILON)) / (2.0 * EPSILON)


def check_primitive(primitive: Primitive, points: Sequence[Array]) -> None:
    """Every partial at points inside the domain, away from kinks. A condition is no array of numbers."""

    def function(xp: Any, *inputs: Any) -> Any:
        return getattr(xp, primitive.name)(*inputs)

    output = function(REAL, *points)
    for argument, partial in enumerate(primitive.partials):
        if points[argument].dtype == bool:
            assert partial is None
            continue
        stated = 0.0 if partial is None else partial(REAL, output, *points)
        what = f"{primitive.name}, argument {argument}"
        agree(stated, complex_step(function, points, argument), EXACT, f"{what}, complex step")
        agree(stated, central_difference(function, points, argument), APPROXIMATE, f"{what}, central differences")


def check_rule(
    name: str, body: Callable[..., Any], rule: Callable[..., Any], points: Sequence[Array], argument: int = 0
) -> None:
    """A stated derivative, rule(xp, *points), against its body's trace, the complex step and central differences."""
    stated = rule(REAL, *points)
    traced = trace(body, len(points)).gradient(argument).evaluate(REAL, np.ones(()), *points)[0]
    agree(stated, np.broadcast_to(traced, points[argument].shape), EXACT, f"{name}, trace of the body")
    agree(stated, complex_step(body, points, argument), EXACT, f"{name}, complex step")
    agree(stated, central_difference(body, points, argument), APPROXIMATE, f"{name}, central differences")


# -- ops of tensors ----------------------------------------------------------------


def check_op(op: Op, inputs: Sequence[Array], attributes: Mapping[str, Any], rng: np.random.Generator) -> None:
    """First and second derivatives of an op by its real inputs, through graph, plan and backend.

    The objective is Σ r·op(x) with random r; the second one Σ s·∂objective/∂x with random s.
    """
    real = [i for i, x in enumerate(inputs) if x.dtype.kind == "f"]
    builder = GraphBuilder(op.name)
    storage: dict[str, Array] = {}
    tensors = [_stored(builder, storage, f"x{i}", np.asarray(x)) for i, x in enumerate(inputs)]
    outputs = builder.emit(op, tensors, attributes)
    parts = []
    for i, output in enumerate(outputs):
        weights = _stored(builder, storage, f"r{i}", rng.standard_normal(output.shape))
        parts.append(_total(builder, output * weights))
    first = _sum(parts)
    gradients = differentiate(builder, first, [tensors[i] for i in real])
    graph_outputs: dict[str, Tensor] = {"first": first}
    slopes = []
    for i, gradient in zip(real, gradients, strict=True):
        if gradient is None:
            continue
        assert gradient.shape == inputs[i].shape, f"{op.name}: gradient of input {i} has shape {gradient.shape}"
        graph_outputs[f"∂{i}"] = gradient
        slopes.append(
            _total(builder, gradient * _stored(builder, storage, f"s{i}", rng.standard_normal(gradient.shape)))
        )
    if slopes:
        second = _sum(slopes)
        graph_outputs["second"] = second
        for i, gradient in zip(real, differentiate(builder, second, [tensors[i] for i in real]), strict=True):
            if gradient is not None:
                graph_outputs[f"∂∂{i}"] = gradient
    graph = builder.graph(graph_outputs)
    verify(graph)
    values = _loaded(graph, storage, "float64")({})
    objectives = ["first", "second"] if slopes else ["first"]
    run = _loaded(_only(graph, ["first"]), storage, "float64")
    step = _loaded(_only(graph, objectives), storage, "complex128")
    for i in real:
        zero = np.zeros_like(inputs[i])
        numeric = _by_complex_step(step, f"x{i}", inputs[i], objectives)
        what = f"{op.name} {dict(attributes)}, input {i} {inputs[i].shape}"
        agree(values.get(f"∂{i}", zero), numeric["first"], EXACT, f"{what}, complex step")
        agree(values.get(f"∂{i}", zero), _by_differences(run, f"x{i}", inputs[i]), APPROXIMATE, f"{what}, differences")
        if slopes:
            agree(values.get(f"∂∂{i}", zero), numeric["second"], EXACT, f"{what}, second derivative")


def _only(graph: Graph, names: Sequence[str]) -> Graph:
    """What these outputs need, for the many runs that ask for no other."""
    return drop_dead(replace(graph, outputs={name: graph.outputs[name] for name in names}))


def _stored(builder: GraphBuilder, storage: dict[str, Array], name: str, array: Array) -> Tensor:
    storage[name] = array
    if array.dtype.kind == "f":
        return builder.input(name, array.shape, "real", "parameter")
    return builder.input(name, array.shape, "index", "data")


def _total(builder: GraphBuilder, tensor: Tensor) -> Tensor:
    return builder.apply("sum", tensor, axes=tuple(range(len(tensor.shape))))


def _sum(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _loaded(
    graph: Graph, storage: Mapping[str, Array], precision: Any
) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
    """The graph as a function of the inputs that change."""
    backend = reference_backend()
    placed = {k: backend.to_device(a.astype(precision) if a.dtype.kind == "f" else a) for k, a in storage.items()}
    executable = backend.load(lower(graph, {}, precision), placed)

    def run(changed: Mapping[str, Array]) -> dict[str, Array]:
        kept = {name: placed[name].copy() for name in changed}
        for name, array in changed.items():
            placed[name][...] = array
        outputs = {name: array[0] for name, array in executable.start({}, 1).result().outputs.items()}
        for name, array in kept.items():
            placed[name][...] = array
        return outputs

    return run


def _by_complex_step(
    run: Callable[..., dict[str, Array]], name: str, x: Array, wanted: Sequence[str]
) -> dict[str, Array]:
    found = {key: np.zeros(x.shape) for key in wanted}
    for index in np.ndindex(x.shape):
        shifted = x.astype(complex)
        shifted[index] += TINY * 1j
        outputs = run({name: shifted})
        for key in wanted:
            found[key][index] = outputs[key].imag / TINY
    return found


def _by_differences(run: Callable[..., dict[str, Array]], name: str, x: Array) -> Array:
    found = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        values = []
        for shift in (EPSILON, -EPSILON):
            moved = x.copy()
            moved[index] += shift
            values.append(float(run({name: moved})["first"]))
        found[index] = (values[0] - values[1]) / (2.0 * EPSILON)
    return found
