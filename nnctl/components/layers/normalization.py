"""Normalization: activations shifted and scaled to mean 0 and variance 1, then to what training finds best."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from annotated_types import MinLen

from nnctl.components.base import Array, Initializer, Layer, Namespace
from nnctl.components.builder import Builder
from nnctl.components.fields import Convention, PositiveFloat, Share
from nnctl.components.initializers import ConstantValue, Zeros
from nnctl.components.layers.shapes import numbers, show
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError

_EPSILON: Mapping[str, Any] = {"torch": 1e-5, "keras": 1e-3}
_EPSILON_WORDS = "added to the variance; 1e-5 by PyTorch's convention, 1e-3 by Keras's"
_SCALE_WORDS = "whether a factor γ is learned"
_SHIFT_WORDS = "whether an offset β is learned"


def _squared(builder: Builder, x: Any, mean: Any) -> Any:
    """The squared deviations from the mean, which is where the mean of them is smallest: its gradient is 0."""

    def square(xp: Namespace, x: Array, mean: Array) -> Array:
        return xp.square(x - mean)

    return builder.formula("squared_deviation", square, x, mean, settled=(1,))


def _affine(
    layer: BatchNorm | LayerNorm, builder: Builder, centred: Any, variance: Any, shape: tuple[int, ...], epsilon: float
) -> Any:
    """γ·centred/√(variance + ε) + β. γ and β are no weights: penalties of weights leave them alone."""

    def inverse(xp: Namespace, variance: Array) -> Array:
        return 1.0 / xp.sqrt(variance + epsilon)

    def parameter(name: str, initializer: Initializer) -> Any:
        return builder.parameter(name, shape, kind="bias", fans=(1, 1), initializer=initializer)

    normalized = centred * builder.formula("inverse_deviation", inverse, variance)
    if layer.scale:
        normalized = normalized * parameter("gamma", layer.scale_initializer)
    return normalized + parameter("beta", layer.shift_initializer) if layer.shift else normalized


def _problems(layer: BatchNorm | LayerNorm) -> list[Problem]:
    given = {
        "scale": layer.scale or layer.scale_initializer == ConstantValue(value=1.0),
        "shift": layer.shift or layer.shift_initializer == Zeros(),
    }
    return [
        Problem(f"{name}_initializer", f"{name}_initializer has nothing to act on: {name} is false")
        for name, fine in given.items()
        if not fine
    ]


@register("layer", "batch_norm")
class BatchNorm(Layer):
    """Each channel (the last axis) normalized over the batch and all positions (Ioffe & Szegedy 2015).

    In training by the batch's mean and biased variance, which `running_mean` and `running_variance`
    follow; in evaluation, and where the layer is frozen, by these. PyTorch's running variance is the
    unbiased one, and its momentum the share of the new; Keras's is biased, and its momentum the share
    of the old.
    Parameters: `gamma` (channels,), `beta` (channels,).
    """

    formula = "a = γ·(x − mean)/√(var + ε) + β, mean and var over the batch"
    example = "{type: batch_norm, momentum: 0.1}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "epsilon": _EPSILON,
        "momentum": {"torch": 0.1, "keras": 0.99},
    }

    epsilon: Annotated[PositiveFloat | None, _EPSILON_WORDS] = None
    momentum: Annotated[
        Share | None, "r ← (1 − momentum)·r + momentum·batch, 0.1, by PyTorch's convention; by Keras's the other share"
    ] = None
    scale: Annotated[bool, _SCALE_WORDS] = True
    shift: Annotated[bool, _SHIFT_WORDS] = True
    scale_initializer: Annotated[Initializer, "of γ"] = ConstantValue(value=1.0)
    shift_initializer: Annotated[Initializer, "of β"] = Zeros()
    convention: Annotated[Convention | None, "whose rule; the spec's if absent"] = None

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        if len(x.shape) < 2:
            raise ShapeError(
                f"{self.type} normalizes channels, the last axis, found shape {show(x.shape)}",
                "put a layer {type: reshape, shape: [1]} before it",
            )
        channels = x.shape[-1:]
        running_mean = builder.state("running_mean", channels)
        running_variance = builder.state("running_variance", channels, 1.0)
        epsilon = self.settled("epsilon")
        # Frozen, as for transfer, it is the function that another run's evaluation measured.
        if not builder.training or builder.frozen:
            return _affine(self, builder, x - running_mean, running_variance, channels, epsilon)
        builder.across_examples(math.prod(x.shape[1:-1]))
        axes = tuple(range(len(x.shape) - 1))
        mean = builder.apply("mean", x, axes=axes)
        centred = x - mean
        variance = builder.apply("mean", _squared(builder, x, mean), axes=axes)
        self._follow(builder, x, (running_mean, mean), (running_variance, variance))
        return _affine(self, builder, centred, variance, channels, epsilon)

    def _follow(self, builder: Builder, x: Any, means: tuple[Any, Any], variances: tuple[Any, Any]) -> None:
        """Let the running statistics go a little of the way to the batch's."""
        keras = self.settled("convention") == "keras"
        momentum = self.settled("momentum")
        new = 1.0 - momentum if keras else momentum

        def follow(xp: Namespace, running: Array, batch: Array) -> Array:
            return (1.0 - new) * running + new * batch

        def follow_unbiased(xp: Namespace, running: Array, batch: Array, count: Array) -> Array:
            # One number alone has variance 0, not 0/0.
            return (1.0 - new) * running + new * (batch * (count / xp.maximum(count - 1.0, 1.0)))

        builder.set_state(means[0], builder.formula("follow", follow, *means))
        if keras:
            builder.set_state(variances[0], builder.formula("follow", follow, *variances))
        else:
            count = builder.apply("size", shape=x.shape[:-1])
            builder.set_state(variances[0], builder.formula("follow", follow_unbiased, *variances, count))

    def problems(self) -> list[Problem]:
        return _problems(self)

    @property
    def doubts(self) -> Sequence[str]:
        keras, momentum = self.settled("convention") == "keras", self.settled("momentum")
        if (momentum > 0.5) is keras:
            return []
        whose, share = ("Keras", "old") if keras else ("PyTorch", "new")
        return [
            f"momentum: {momentum:g} is by {whose}'s convention the share of the {share} in running statistics; "
            f"the other share is written {1.0 - momentum:.4g}"
        ]


@register("layer", "layer_norm")
class LayerNorm(Layer):
    """Each example normalized by itself over `axes` (Ba, Kiros & Hinton 2016), in training and evaluation alike.

    Parameters: `gamma` and `beta`, of the shape of those axes.
    """

    formula = "a = γ·(x − mean)/√(var + ε) + β, mean and var over axes"
    example = "{type: layer_norm, epsilon: 1e-5}"
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {"epsilon": _EPSILON}

    axes: Annotated[
        Annotated[tuple[int, ...], MinLen(1)], "normalized together, counted with the batch as 0; -1 is the last"
    ] = (-1,)
    epsilon: Annotated[PositiveFloat | None, _EPSILON_WORDS] = None
    scale: Annotated[bool, _SCALE_WORDS] = True
    shift: Annotated[bool, _SHIFT_WORDS] = True
    scale_initializer: Annotated[Initializer, "of γ"] = ConstantValue(value=1.0)
    shift_initializer: Annotated[Initializer, "of β"] = Zeros()
    convention: Annotated[Convention | None, "whose ε; the spec's if absent"] = None

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x = numbers(self.type, inputs)
        rank = len(x.shape)
        axes = sorted({axis % rank for axis in self.axes if -rank <= axis < rank})
        if len(axes) < len(self.axes) or 0 in axes:
            raise ShapeError(
                f"{self.type} over axes {list(self.axes)} does not fit its input {show(x.shape)}",
                f"name each axis once; axes 1 to {rank - 1} are features" if rank > 1 else "the batch is its only axis",
            )
        if math.prod(x.shape[axis] for axis in axes) == 1:
            raise ShapeError(
                f"{self.type} over axes {list(self.axes)} of its input {show(x.shape)} takes one number at a time, "
                "which less its own mean is 0, whatever the input",
                "normalize over axes that hold several numbers, or remove the layer",
            )
        mean = builder.apply("mean", x, axes=tuple(axes), keepdims=True)
        centred = x - mean
        variance = builder.apply("mean", _squared(builder, x, mean), axes=tuple(axes), keepdims=True)
        # 1 on the axes between, so that γ and β line up from the last axis backwards.
        shape = tuple(x.shape[axis] if axis in axes else 1 for axis in range(axes[0], rank))
        return _affine(self, builder, centred, variance, shape, self.settled("epsilon"))

    def problems(self) -> list[Problem]:
        return _problems(self)
