"""The node tests of ONNX for our kinds of layers: each case as a layer of ours, and those that no spec can say."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from graph_bench import Bench

from nnctl.components.registry import components

onnx = pytest.importorskip("onnx")

MODULES = (
    "averagepool",
    "conv",
    "flatten",
    "globalaveragepool",
    "globalmaxpool",
    "hardsigmoid",
    "lppool",
    "lstm",
    "maxpool",
    "resize",
)
"""Files of node tests."""

UNSAID = {
    "test_flatten_axis0": "a batch's examples are not joined",
    "test_flatten_negative_axis4": "a batch's examples are not joined",
    "test_maxpool_with_argmax_2d_precomputed_pads": "the places of the largest are no output of a layer",
    "test_maxpool_with_argmax_2d_precomputed_strides": "the places of the largest are no output of a layer",
    "test_lstm_reverse": "a layer that reads from the end is one half of a bidirectional one",
    **{
        f"test_resize_{way}_sizes_nearest_not_{which}": "a spec has factors or sizes, and no rule that chooses"
        for way in ("upsample", "downsample")
        for which in ("larger", "smaller")
    },
    **{
        f"test_resize_tf_crop_and_resize{how}": "a layer resizes all of its input, and no part that is said with it"
        for how in ("", "_extrapolation_value", "_axes_2_3", "_axes_3_2")
    },
}
"""Cases that no spec can say, and why."""

ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad": 1e-3}
"""Cases whose answers are written down with few digits, and the relative difference that these leave."""


def node_cases() -> Iterator[Any]:
    """Cases of one node each."""
    with warnings.catch_warnings():
        # Some cases are made by dividing by 0 on purpose.
        warnings.simplefilter("ignore")
        package = import_module("onnx.backend.test.case.node")
        for name in MODULES:
            import_module(f"onnx.backend.test.case.node.{name}")
    return (case for case in package._NodeTestCases if len(case.model.graph.node) == 1)


def channels_last(x: Any) -> Any:
    """(batch, channels, *spatial) as (batch, *spatial, channels)."""
    return np.moveaxis(x, 1, -1)


def run(layer: Any, x: Any, **parameters: Any) -> Any:
    """What a layer makes of x in its reference bodies, by the convention whose 'same' is that of ONNX."""
    bench = Bench(batch=len(x))
    settled = layer.for_convention("keras")
    assert not settled.problems()
    with bench.builder.scope("it"):
        y = bench.builder.build_here(settled, bench.tensor("x", x))
    (result,) = bench.run(y, parameters={f"it.{name}": value for name, value in parameters.items()})
    return result


def window(given: dict[str, Any], rank: int) -> dict[str, Any]:
    """The fields of a window that convolutions and pools share."""
    pads = given.get("pads", [0] * 2 * rank)
    named = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower"}
    assert pads[:rank] == pads[rank:]
    return {
        "stride": per_axis(given.get("strides", [1] * rank)),
        "padding": named.get(given.get("auto_pad", ""), per_axis(pads[:rank])),
        "dilation": per_axis(given.get("dilations", [1] * rank)),
    }


def per_axis(numbers: list[int]) -> Any:
    """A field's value: one number, or one for each axis."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def pool(kind: str, x: Any, given: dict[str, Any]) -> Any:
    fields = window(given, x.ndim - 2) | {"size": per_axis(given["kernel_shape"])}
    fields |= {"ceil_mode": bool(given.get("ceil_mode", 0))}
    if kind == "average_pool":
        fields |= {"count_padding": bool(given.get("count_include_pad", 0))}
    if kind == "lp_pool":
        fields |= {"p": float(given.get("p", 2))}
    return np.moveaxis(run(components("layer")[kind](**fields), channels_last(x)), -1, 1)


def global_pool(kind: str, x: Any, given: dict[str, Any]) -> Any:
    return run(components("layer")[kind](), channels_last(x)).reshape(*x.shape[:2], *(1,) * (x.ndim - 2))


def convolution(x: Any, weight: Any, given: dict[str, Any]) -> Any:
    rank = x.ndim - 2
    layer = components("layer")[f"conv{rank}d"](
        filters=len(weight), kernel=per_axis(given["kernel_shape"]), bias=False, **window(given, rank)
    )
    # (filters, channels, *kernel) → (*kernel, channels, filters)
    kernel = np.moveaxis(weight, (0, 1), (-1, -2))
    return np.moveaxis(run(layer, channels_last(x), weight=kernel), -1, 1)


def flatten(x: Any, given: dict[str, Any]) -> Any:
    axis = given.get("axis", 1)
    flat = run(components("layer")["flatten"](axis=axis), x)
    # ONNX joins the axes before it, too, and the batch's with them: the same numbers in the same order.
    return flat.reshape(-1, flat.shape[-1])


def hard_sigmoid(x: Any, given: dict[str, Any]) -> Any:
    function = components("activation")["hard_sigmoid"](slope=given.get("alpha", 0.2), offset=given.get("beta", 0.5))
    return run(components("layer")["activation"](activation=function), x)


def resize(x: Any, *rest: Any) -> Any:
    *others, given = rest
    amounts = [other for other in others if other is not None][-1]
    axes = given.get("axes", range(x.ndim))
    # The batch and the channels stay as they are.
    amounts = [amounts[list(axes).index(axis)] for axis in range(2, x.ndim)]
    by_sizes = amounts[0].dtype.kind == "i"
    fields: dict[str, Any] = {"size": tuple(map(int, amounts))} if by_sizes else {"factor": tuple(map(float, amounts))}
    fields |= {"interpolation": given["mode"], "coordinates": given.get("coordinate_transformation_mode", "half_pixel")}
    fields |= {"rounding": given.get("nearest_mode", "round_prefer_floor")}
    fields |= {"coefficient": given.get("cubic_coeff_a", -0.75)}
    fields |= {name: bool(given.get(name, 0)) for name in ("exclude_outside", "antialias")}
    return np.moveaxis(run(components("layer")["resize"](**fields), channels_last(x)), -1, 1)


def lstm(x: Any, weight: Any, recurrent: Any, *rest: Any) -> Any:
    *others, given = rest
    bias, _, *firsts, peepholes = [*others, *[None] * 5][:5]
    assert not any(np.any(first) for first in firsts if first is not None)
    batch_first = given.get("layout", 0)
    sequences = x if batch_first else np.moveaxis(x, 0, 1)
    units, directions = given["hidden_size"], len(weight)
    names = ("forward.", "backward.") if directions == 2 else ("",)
    parameters = {}
    for d, name in enumerate(names):
        parameters[f"{name}weight"] = _gates(weight[d]).T
        parameters[f"{name}recurrent_weight"] = _gates(recurrent[d]).T
        both = np.zeros((2, 4 * units)) if bias is None else bias[d].reshape(2, -1)
        parameters[f"{name}bias"], parameters[f"{name}recurrent_bias"] = map(_gates, both)
        if peepholes is not None:
            i, o, f = np.split(peepholes[d], 3)
            parameters[f"{name}peephole_weight"] = np.concatenate([i, f, o])
    fields = {"bidirectional": directions == 2, "peepholes": peepholes is not None, "recurrent_bias": True}
    layer = components("layer")["lstm"](units=units, return_sequence=True, **fields)
    y = run(layer, sequences, **parameters)
    by_direction = y.reshape(*y.shape[:2], directions, units)
    # The second direction ends at the first step.
    ends = np.stack([by_direction[:, step, d] for d, step in zip(range(directions), (-1, 0))], axis=1)
    if batch_first:
        return by_direction, ends
    return by_direction.transpose(1, 2, 0, 3), np.moveaxis(ends, 0, 1)


def _gates(of: Any) -> Any:
    """Rows of the gates i, o, f, c, as ONNX has them, in our order."""
    i, o, f, c = np.split(of, 4)
    return np.concatenate([i, f, c, o])


ANSWERS: dict[str, Callable[..., Any]] = {
    "AveragePool": lambda x, given: pool("average_pool", x, given),
    "Conv": convolution,
    "Flatten": flatten,
    "GlobalAveragePool": lambda x, given: global_pool("global_average_pool", x, given),
    "GlobalMaxPool": lambda x, given: global_pool("global_max_pool", x, given),
    "HardSigmoid": hard_sigmoid,
    "LSTM": lstm,
    "LpPool": lambda x, given: pool("lp_pool", x, given),
    "MaxPool": lambda x, given: pool("max_pool", x, given),
    "Resize": resize,
}
"""By op of ONNX: (*inputs, attributes) -> its outputs, or the first alone, from a layer of ours."""


CASES = {case.name: case for case in node_cases() if case.model.graph.node[0].op_type in ANSWERS}


def attributes(node: Any) -> dict[str, Any]:
    values = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()}


@pytest.mark.parametrize("name", sorted(set(CASES) - set(UNSAID)))
def test_a_layer_answers_as_onnx_has_it(name: str) -> None:
    (node,) = CASES[name].model.graph.node
    for inputs, outputs in CASES[name].data_sets:
        numbers = (x.astype(float) if x.dtype.kind in "fu" else x for x in inputs)
        found = ANSWERS[node.op_type](*_by_place(node, list(numbers)), attributes(node))
        several = found if isinstance(found, tuple) else (found,)
        answers = [answer for answer, name_ in zip(several, node.output) if name_]
        assert answers
        for answer, expected in zip(answers, outputs):
            np.testing.assert_allclose(answer, expected, rtol=ROUNDED.get(name, 1e-5), atol=1e-6)


def _by_place(node: Any, given: list[Any]) -> list[Any]:
    """The inputs of a node, None where one is left out."""
    rest = iter(given)
    return [next(rest) if name else None for name in node.input]


def test_what_no_spec_can_say_is_still_a_case() -> None:
    assert set(UNSAID) <= set(CASES)
