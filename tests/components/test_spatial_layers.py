"""Layers with windows, and normalization: golden numbers, both conventions, refusals in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graph_bench import Bench

from nnctl.components.base import Layer
from nnctl.components.initializers import Zeros
from nnctl.components.layers.convolution import Conv1d, Conv2d, Conv3d, ConvTranspose1d, ConvTranspose2d
from nnctl.components.layers.normalization import BatchNorm, LayerNorm
from nnctl.components.layers.pooling import (
    AveragePool,
    GlobalAveragePool,
    GlobalLpPool,
    GlobalMaxPool,
    L2Pool,
    LpPool,
    MaxPool,
    Upsample,
)
from nnctl.components.layers.resizing import Resize
from nnctl.components.layers.spatial import padding_pairs
from nnctl.errors import ShapeError

RAMP = np.arange(16.0).reshape(1, 4, 4, 1)
ONES = np.ones((3, 3, 1, 1))
BATCH = np.array([[1.0, 2.0], [3.0, 5.0], [4.0, -1.0], [0.0, 2.0]])
GAMMA_BETA = {"gamma": np.ones(2), "beta": np.zeros(2)}
CONVENTIONS = ("torch", "keras")


class Built:
    """A layer, called "it", on arrays."""

    def __init__(self, layer: Layer, x: Any, *, convention: str = "torch", training: bool = False) -> None:
        self.bench = Bench(training=training, batch=len(x))
        with self.bench.builder.scope("it"):
            self.output = self.bench.builder.build_here(layer.for_convention(convention), self.bench.tensor("x", x))

    def run(self, *others: Any, **parameters: Any) -> list[Any]:
        named = {f"it.{name}": value for name, value in parameters.items()}
        result, *rest = self.bench.run(self.output, *others, parameters=named)
        assert tuple(self.output.shape[1:]) == result.shape[1:]
        return [result, *rest]


def output(layer: Layer, x: Any, convention: str = "torch", *, training: bool = False, **parameters: Any) -> Any:
    return Built(layer, x, convention=convention, training=training).run(**parameters)[0]


def refusal(layer: Layer, shape: tuple[int, ...]) -> str:
    with pytest.raises(ShapeError) as caught:
        output(layer, np.zeros(shape))
    assert caught.value.layer == "it"
    return str(caught.value)


# -- convolution -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("convention", "padding", "expected"),
    [
        ("keras", "same", [[45, 39], [66, 50]]),
        ("torch", "same", [[10, 24], [51, 90]]),
        ("torch", 1, [[10, 24], [51, 90]]),
        ("keras", (1, 1), [[10, 24], [51, 90]]),
    ],
)
def test_golden_padding(convention: str, padding: Any, expected: list[list[int]]) -> None:
    layer = Conv2d(filters=1, kernel=3, stride=2, padding=padding, bias=False)
    np.testing.assert_allclose(output(layer, RAMP, convention, weight=ONES)[0, :, :, 0], expected)


@pytest.mark.parametrize("length", range(1, 12))
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_same_gives_the_length_over_the_stride_rounded_up(convention: str, length: int) -> None:
    for reach in range(1, 6):
        for stride in range(1, 5):
            ((before, after),) = padding_pairs("it", "same", (length,), (reach,), (stride,), convention)
            assert (before + length + after - reach) // stride + 1 == -(-length // stride)
            assert 0 <= after - before <= 1
            (lower,) = padding_pairs("it", "same_lower", (length,), (reach,), (stride,), convention)
            assert lower == (after, before)


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4])
def test_a_transpose_with_same_undoes_the_shape(kernel: int, stride: int, convention: str) -> None:
    layer = ConvTranspose1d(filters=1, kernel=kernel, stride=stride, padding="same", bias=False)
    assert output(layer, np.ones((2, 5, 1)), convention, weight=np.ones((kernel, 1, 1))).shape == (2, 5 * stride, 1)


def test_parameters_of_a_convolution() -> None:
    built = Built(Conv2d(filters=6, kernel=(3, 2), groups=2, initializer=Zeros()), np.zeros((2, 5, 5, 4)))
    weight, bias = built.bench.builder.parameters.values()
    assert (weight.name, weight.shape, weight.kind, weight.fans) == ("it.weight", (3, 2, 2, 6), "weight", (12, 36))
    assert (bias.name, bias.shape, bias.kind, bias.fans) == ("it.bias", (6,), "bias", (12, 36))
    assert weight.initializer == Zeros()
    assert bias.initializer is None


def test_parameters_of_a_transpose_are_those_of_its_convolution() -> None:
    built = Built(ConvTranspose2d(filters=6, kernel=2), np.zeros((2, 3, 3, 4)))
    assert built.bench.builder.parameters["it.weight"].shape == (2, 2, 6, 4)
    assert built.output.shape[1:] == (4, 4, 6)


@pytest.mark.parametrize("layer", [Conv1d(filters=2, kernel=3), ConvTranspose1d(filters=2, kernel=3)])
def test_sequences_are_images_of_height_1(layer: Any) -> None:
    rng = np.random.default_rng(0)
    x, bias = rng.standard_normal((2, 7, 3)), rng.standard_normal(2)
    flat = Built(layer, x)
    weight = rng.standard_normal(flat.bench.builder.parameters["it.weight"].shape)
    wide = {1: Conv2d, -1: ConvTranspose2d}[1 if isinstance(layer, Conv1d) else -1](filters=2, kernel=(1, 3))
    expected = output(wide, x[:, None], weight=weight[None], bias=bias)[:, 0]
    np.testing.assert_allclose(flat.run(weight=weight, bias=bias)[0], expected)


@pytest.mark.parametrize(("kernel", "stride", "torch", "keras"), [(2, 3, 11, 12), (3, 3, 12, 12), (5, 2, 11, 11)])
def test_a_kernel_shorter_than_the_stride_leaves_a_tail_by_kerass_convention(
    kernel: int, stride: int, torch: int, keras: int
) -> None:
    # Keras: n·stride + max(kernel − stride, 0) outputs of n inputs, with padding "valid".
    layer = ConvTranspose1d(filters=1, kernel=kernel, stride=stride)
    x, weight = np.ones((1, 4, 1)), np.ones((kernel, 1, 1))
    by_torch, by_keras = (output(layer, x, name, weight=weight, bias=np.zeros(1)) for name in CONVENTIONS)
    assert (by_torch.shape[1], by_keras.shape[1]) == (torch, keras)
    np.testing.assert_allclose(by_keras[:, :torch], by_torch)
    np.testing.assert_allclose(by_keras[:, torch:], 0.0)


def test_many_examples_are_convolved_a_few_at_a_time() -> None:
    rng = np.random.default_rng(1)
    x, weight = rng.standard_normal((40, 30, 30, 4)), rng.standard_normal((5, 5, 4, 2))
    layer = Conv2d(filters=2, kernel=5, bias=False)
    one_by_one = np.concatenate([output(layer, x[i : i + 1], weight=weight) for i in range(len(x))])
    np.testing.assert_allclose(output(layer, x, weight=weight), one_by_one)


# -- pooling ---------------------------------------------------------------------------


def test_average_pool_counts_padding_by_convention() -> None:
    layer, x = AveragePool(size=3, stride=2, padding=1), np.ones((1, 4, 1))
    np.testing.assert_allclose(output(layer, x, "torch").ravel(), [2 / 3, 1])
    np.testing.assert_allclose(output(layer, x, "keras").ravel(), [1, 1])


def test_max_pool_never_takes_padding() -> None:
    x = -1.0 - RAMP
    np.testing.assert_array_equal(output(MaxPool(size=3, stride=3, padding=1), x)[0, :, :, 0], [[-1, -3], [-9, -11]])
    np.testing.assert_array_equal(output(MaxPool(size=3, padding="same"), -x)[0, :, :, 0], [[6, 8], [14, 16]])


def test_l2_pool_behind_dead_units() -> None:
    np.testing.assert_array_equal(output(L2Pool(size=2), np.zeros((1, 4, 4, 1))), np.zeros((1, 2, 2, 1)))


def test_l2_pool_hides_nothing_that_is_no_number() -> None:
    x = np.array([np.nan, 0.0, 3.0, 4.0]).reshape(1, 4, 1)
    np.testing.assert_array_equal(output(L2Pool(size=2), x).ravel(), [np.nan, 5.0])


def test_global_pools() -> None:
    x = np.random.default_rng(2).standard_normal((3, 4, 5, 2))
    np.testing.assert_allclose(output(GlobalAveragePool(), x), x.mean(axis=(1, 2)))
    np.testing.assert_array_equal(output(GlobalMaxPool(), x), x.max(axis=(1, 2)))


def by_places(x: Any, size: Any, stride: Any, dilation: Any, counts: Any) -> Any:
    """The largest and the mean of each window over a volume (depth, height, width), place by place."""
    largest, mean = np.empty(counts), np.empty(counts)
    for p in np.ndindex(*counts):
        met = [tuple(np.multiply(p, stride) + np.multiply(k, dilation)) for k in np.ndindex(*size)]
        numbers = [x[at] for at in met if np.all(np.less(at, x.shape))]
        largest[p], mean[p] = max(numbers), sum(numbers) / len(numbers)
    return largest, mean


def test_pools_of_volumes_whose_last_windows_reach_over_the_end() -> None:
    x = np.random.default_rng(5).standard_normal((1, 5, 6, 7, 1))
    size, stride, dilation = (2, 3, 2), (2, 1, 3), (2, 1, 2)
    largest, mean = by_places(x[0, ..., 0], size, stride, dilation, (2, 4, 3))
    fields = {"size": size, "stride": stride, "dilation": dilation, "ceil_mode": True}
    np.testing.assert_array_equal(output(MaxPool(**fields), x)[0, ..., 0], largest)
    np.testing.assert_allclose(output(AveragePool(**fields), x)[0, ..., 0], mean)


def test_a_convolution_of_volumes_is_the_sum_over_its_field() -> None:
    rng = np.random.default_rng(6)
    x, weight = rng.standard_normal((2, 6, 4, 5, 4)), rng.standard_normal((2, 3, 2, 2, 6))
    layer = Conv3d(filters=6, kernel=(2, 3, 2), stride=(2, 1, 2), padding=(2, 1, 0), dilation=(3, 1, 1), groups=2,
                   bias=False)  # fmt: skip
    found = output(layer, x, weight=weight)
    around = np.pad(x, ((0, 0), (2, 2), (1, 1), (0, 0), (0, 0)))
    assert found.shape == (2, 4, 4, 2, 6)
    for d, h, w, f in np.ndindex(*found.shape[1:]):
        field = around[:, 2 * d : 2 * d + 4 : 3, h : h + 3, 2 * w : 2 * w + 2, f // 3 * 2 : f // 3 * 2 + 2]
        np.testing.assert_allclose(found[:, d, h, w, f], (field * weight[..., f]).sum(axis=(1, 2, 3, 4)))


@pytest.mark.parametrize("p", [1.0, 1.5, 2.0, 3.0, 4.0, 7.0, 9.0])
def test_norms_of_windows(p: float) -> None:
    x = np.random.default_rng(7).standard_normal((2, 6, 4))
    pairs = x.reshape(2, 3, 2, 4)
    np.testing.assert_allclose(output(LpPool(p=p), x), np.linalg.norm(pairs, p, axis=2))
    np.testing.assert_allclose(output(GlobalLpPool(p=p), x), np.linalg.norm(x, p, axis=1))
    np.testing.assert_array_equal(output(LpPool(p=p), np.zeros((1, 4, 1))), np.zeros((1, 2, 1)))


def test_upsampling() -> None:
    x = np.array([0.0, 4.0]).reshape(1, 2, 1)
    np.testing.assert_array_equal(output(Upsample(factor=2), x).ravel(), [0, 0, 4, 4])
    np.testing.assert_array_equal(output(Upsample(factor=2, interpolation="bilinear"), x).ravel(), [0, 1, 3, 4])
    volume = np.arange(8.0).reshape(1, 2, 2, 2, 1)
    expected = volume.repeat(2, axis=1).repeat(3, axis=3)
    np.testing.assert_array_equal(output(Upsample(factor=(2, 1, 3)), volume), expected)
    assert output(Upsample(factor=(1, 3), interpolation="bilinear"), RAMP).shape == (1, 4, 12, 1)


# -- normalization ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("convention", "mean", "variance", "first"),
    [
        ("torch", [0.2, 0.2], [1.2333333, 1.5], -0.6324542671),
        ("keras", [0.02, 0.02], [1.015, 1.035], -0.6323291063),
    ],
)
def test_golden_batch_norm(convention: str, mean: Any, variance: Any, first: float) -> None:
    built = Built(BatchNorm(), BATCH, convention=convention, training=True)
    remembered = [built.bench.builder.tensor(new) for new in built.bench.builder.new_states.values()]
    running = {"running_mean": np.zeros(2), "running_variance": np.ones(2)}
    normalized, new_mean, new_variance = built.run(*remembered, **GAMMA_BETA, **running)
    # -1/√2.501 = -0.6323290789: Keras's number carries the rounding of float32.
    assert normalized[0, 0] == pytest.approx(first, abs=1e-7 if convention == "keras" else 1e-10)
    np.testing.assert_allclose(new_mean, mean, atol=1e-7)
    np.testing.assert_allclose(new_variance, variance, atol=1e-7)


def test_batch_norm_uses_what_it_remembers() -> None:
    running = {"running_mean": np.array([1.0, 2.0]), "running_variance": np.array([4.0, 9.0])}
    found = output(BatchNorm(epsilon=1e-12), BATCH, gamma=np.array([2.0, 3.0]), beta=np.array([5.0, 6.0]), **running)
    np.testing.assert_allclose(found, (BATCH - [1, 2]) / [2, 3] * [2, 3] + [5, 6])


def test_batch_norm_of_one_example_stays_finite() -> None:
    built = Built(BatchNorm(), BATCH[:1], training=True)
    remembered = [built.bench.builder.tensor(new) for new in built.bench.builder.new_states.values()]
    running = {"running_mean": np.zeros(2), "running_variance": np.ones(2)}
    for array in built.run(*remembered, **GAMMA_BETA, **running):
        assert np.all(np.isfinite(array))


def test_batch_norm_takes_all_positions_of_a_channel() -> None:
    x = np.random.default_rng(3).standard_normal((3, 4, 5, 2)) * 7 + 1
    running = {"running_mean": np.zeros(2), "running_variance": np.ones(2)}
    found = output(BatchNorm(), x, training=True, **GAMMA_BETA, **running)
    np.testing.assert_allclose(found.mean(axis=(0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(found.var(axis=(0, 1, 2)), 1, atol=1e-5)


def test_parameters_of_a_normalization_are_no_weights() -> None:
    for layer in (BatchNorm(), LayerNorm()):
        built = Built(layer, BATCH)
        kinds = {p.name: (p.kind, p.shape, p.initializer) for p in built.bench.builder.parameters.values()}
        assert kinds["it.gamma"][:2] == kinds["it.beta"][:2] == ("bias", (2,))
    bare = Built(BatchNorm(scale=False, shift=False), BATCH)
    assert not bare.bench.builder.parameters
    assert list(bare.bench.builder.states) == ["it.running_mean", "it.running_variance"]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_layer_norm(convention: str) -> None:
    x = np.random.default_rng(4).standard_normal((3, 4, 5))
    epsilon = {"torch": 1e-5, "keras": 1e-3}[convention]
    for axes in ((-1,), (1, 2), (1,)):
        shape = {(-1,): (5,), (1, 2): (4, 5), (1,): (4, 1)}[axes]
        found = output(LayerNorm(axes=axes), x, convention, gamma=np.full(shape, 2.0), beta=np.full(shape, 3.0))
        mean, variance = x.mean(axis=axes, keepdims=True), x.var(axis=axes, keepdims=True)
        np.testing.assert_allclose(found, 2 * (x - mean) / np.sqrt(variance + epsilon) + 3)


# -- refusals --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        (
            Conv2d(filters=2, kernel=5),
            (2, 784),
            "it: conv2d reads an image (batch, height, width, channels), found shape (batch, 784)\n"
            "  put a reshape layer before it, for example {type: reshape, shape: [28, 28, 1]}",
        ),
        (
            Conv2d(filters=2, kernel=5),
            (2, 30, 3),
            "it: conv2d reads an image (batch, height, width, channels), found shape (batch, 30, 3)\n"
            "  use conv1d on sequences, or put a reshape layer before it to add an axis",
        ),
        (
            Conv1d(filters=2, kernel=5),
            (2, 8, 8, 1),
            "it: conv1d reads a sequence (batch, length, channels), found shape (batch, 8, 8, 1)\n"
            "  use conv2d on images, or put a reshape layer before it that joins two axes",
        ),
        (
            Conv2d(filters=2, kernel=5),
            (2, 3, 8, 1),
            "it: conv2d has a kernel that reaches over (5, 5), its input (batch, 3, 8, 1) is only (3, 8)\n"
            "  use a smaller kernel, fewer pooling layers before it, or padding: same",
        ),
        (
            Conv2d(filters=2, kernel=3, dilation=3, padding=1),
            (2, 4, 8, 1),
            "it: conv2d has a kernel that reaches over (7, 7), its input (batch, 4, 8, 1) is only (4, 8) "
            "with padding (1, 1)\n  use a smaller kernel, fewer pooling layers before it, or padding: same",
        ),
        (
            Conv2d(filters=4, kernel=3, groups=2),
            (2, 8, 8, 3),
            "it: conv2d cannot divide the 3 channels of its input (batch, 8, 8, 3) into 2 groups\n"
            "  use a number of groups that divides 3",
        ),
        (
            MaxPool(size=(2, 2)),
            (2, 8, 3),
            "it: max_pool has size [2, 2] for height and width, but its input has one spatial axis\n"
            "  give size as one number",
        ),
        (
            MaxPool(size=(2, 2, 2)),
            (2, 8, 8, 3),
            "it: max_pool has size [2, 2, 2] for depth, height and width, but its input has height and width\n"
            "  give size as one number or as [height, width]",
        ),
        (
            AveragePool(size=3, dilation=4, padding=4),
            (2, 3, 3),
            "it: average_pool has dilation (4,) and padding on its input (batch, 3, 3), which is only (3,): "
            "a window in the padding alone has nothing to pool\n  use a dilation that is no longer than the input",
        ),
        (
            Conv2d(filters=2, kernel=5),
            (2, 4, 8, 8, 3),
            "it: conv2d reads an image (batch, height, width, channels), found shape (batch, 4, 8, 8, 3)\n"
            "  use conv3d on volumes, or put a reshape layer before it that joins two axes",
        ),
        (
            MaxPool(size=3),
            (2, 2, 2, 3),
            "it: max_pool has a window that reaches over (3, 3), its input (batch, 2, 2, 3) is only (2, 2)\n"
            "  use a smaller window, fewer pooling layers before it, or padding: same",
        ),
        (
            Resize(factor=0.2),
            (2, 4, 8, 3),
            "it: resize by (0.2, 0.2) leaves nothing of its input (batch, 4, 8, 3)\n  use a larger factor",
        ),
        (
            Resize(factor=(0.5, 2.0)),
            (2, 8, 3),
            "it: resize has factor [0.5, 2.0], but its input (batch, 8, 3) has 1 spatial axis\n"
            "  give factor as one number or as one for each axis",
        ),
        (
            ConvTranspose1d(filters=1, kernel=1, padding=3),
            (2, 3, 1),
            "it: conv_transpose1d would make an output of (-3,) from its input (batch, 3, 1): "
            "padding (3,) takes it all away\n  use less padding",
        ),
        (
            LayerNorm(axes=(0, 1)),
            (2, 3),
            "it: layer_norm over axes [0, 1] does not fit its input (batch, 3)\n"
            "  name each axis once; axes 1 to 1 are features",
        ),
        (
            BatchNorm(),
            (2,),
            "it: batch_norm normalizes channels, the last axis, found shape (batch,)\n"
            "  put a layer {type: reshape, shape: [1]} before it",
        ),
    ],
)
def test_refusals(layer: Layer, shape: tuple[int, ...], words: str) -> None:
    assert refusal(layer, shape) == words


@pytest.mark.parametrize(
    ("layer", "fields"),
    [
        (Conv2d(filters=3, kernel=1, groups=2), ["groups"]),
        (Conv2d(filters=3, kernel=1, bias=False, bias_initializer=Zeros()), ["bias_initializer"]),
        (ConvTranspose2d(filters=3, kernel=1, stride=(2, 3), output_padding=(1, 2)), []),
        (ConvTranspose2d(filters=3, kernel=1, stride=(2, 3), output_padding=2), ["output_padding"]),
        (ConvTranspose1d(filters=3, kernel=1, stride=2, padding="same", output_padding=1), ["output_padding"]),
        (MaxPool(size=(2, 3), padding=2), ["padding"]),
        (AveragePool(size=(2, 3), padding=(1, 2)), []),
        (MaxPool(size=2, dilation=3, padding=3), []),
        (Resize(), ["factor"]),
        (Resize(factor=2.0, size=4), ["factor"]),
        (Resize(size=4, antialias=True), ["antialias"]),
        (MaxPool(size=(1, 2, 3), padding=(1, 1, 1)), ["padding"]),
        (BatchNorm(scale=False, scale_initializer=Zeros()), ["scale_initializer"]),
        (LayerNorm(shift=False, shift_initializer=Zeros()), []),
    ],
)
def test_fields_that_do_not_go_together(layer: Layer, fields: list[str]) -> None:
    assert [problem.field for problem in layer.problems()] == fields
