"""Recurrent layers: what they share, and the plain cell.

All read (batch, time, features) and give the last state (batch, units), or every
state (batch, time, units) with `return_sequence`, which is how they are stacked.
A second input is a mask (batch, time), as the layer `mask` makes it: where it is
0 the step is skipped, so that sequences of different lengths fit in one batch: the state, and with it the output
of that step, is that of the step before. So it is in Keras, but for its Bidirectional, which gives zeros there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from nnctl.components.activations import Relu, Tanh
from nnctl.components.base import Activation, Initializer, Layer, Regularizer
from nnctl.components.builder import Builder
from nnctl.components.fields import Convention, PositiveInt
from nnctl.components.initializers import GlorotUniform, Orthogonal, Uniform, Zeros
from nnctl.components.layers.parameters import bias_problems
from nnctl.components.layers.shapes import show
from nnctl.components.registry import Problem, register
from nnctl.errors import ShapeError
from nnctl.late import dataclass


@dataclass(frozen=True, kw_only=True)
class Recurrent(Layer):
    """A cell that scans a sequence.

    First values where neither layer nor spec names an initializer: torch and book,
    everything U(±1/√units); keras, Glorot's uniform input weights, orthogonal recurrent
    weights, zero biases.
    """

    gates: ClassVar[int] = 1
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    """Names of the recurrent states, each (batch, units)."""

    units: Annotated[PositiveInt, "size of the state"]
    return_sequence: Annotated[
        bool, "give the state of every step, not of the last alone; a step that a mask skips repeats the one before"
    ] = False
    bidirectional: Annotated[
        bool, "a second cell walks from the last step to the first; the outputs lie side by side"
    ] = False
    stateful: Annotated[
        bool,
        "go on from the state that the batch before ended with: truncated backpropagation through time, "
        "and evaluation likewise, in 16 rows at most; needs data whose batches follow one another",
    ] = False
    bias: Annotated[bool, "whether the cell has biases"] = True
    initializer: Annotated[Initializer | None, "of the input weights; the spec's if absent"] = None
    recurrent_initializer: Annotated[Initializer | None, "of the recurrent weights; the spec's if absent"] = None
    bias_initializer: Annotated[Initializer | None, "of the biases; the spec's if absent"] = None
    regularizer: Annotated[Regularizer | None, "on the input weights; the spec's if absent"] = None
    recurrent_regularizer: Annotated[Regularizer | None, "on the recurrent weights; the spec's if absent"] = None
    bias_regularizer: Annotated[Regularizer | None, "on the biases; none if absent"] = None
    convention: Annotated[Convention | None, "whose biases and first values; the spec's if absent"] = None

    @property
    def keeps_state(self) -> bool:
        return self.stateful

    @property
    def reads_ahead(self) -> bool:
        return self.bidirectional

    @property
    def takes_mask(self) -> bool:
        return True

    def build(self, builder: Builder, *inputs: Any) -> Any:
        x, *mask = self._checked(inputs)
        if not self.bidirectional:
            return self._scan(builder, x, mask, reverse=False)
        if builder.resuming == "all":
            raise ShapeError(
                f"a bidirectional {self.type} reads what comes later, and cannot go on from a beginning",
                "only nets that read from left to right can generate",
            )
        directions = []
        for name, reverse in (("forward", False), ("backward", True)):
            with builder.scope(name):
                directions.append(self._scan(builder, x, mask, reverse=reverse))
        return builder.apply("concatenate", *directions, axis=len(directions[0].shape) - 1)

    def _checked(self, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(inputs) > 2:
            raise ShapeError(
                f"{self.type} takes a sequence and perhaps a mask, found {len(inputs)} inputs",
                "join sequences first with a layer of type concatenate",
            )
        x, *mask = inputs
        if len(x.shape) != 3 or x.dtype != "real":
            if x.dtype == "index":
                hint = "put an embedding or a one_hot layer before it"
            elif len(x.shape) == 2:
                hint = (
                    "give the recurrent layer before it return_sequence: true; after other layers, reshape to sequences"
                )
            else:
                hint = "put a reshape layer before it, for example {type: reshape, shape: [time, features]}"
            raise ShapeError(f"{self.type} reads sequences (batch, time, features), found {show(x.shape)}", hint)
        if mask and (mask[0].dtype != "index" or mask[0].shape != x.shape[:2]):
            raise ShapeError(
                f"the second input of {self.type} is a mask {show(x.shape[:2])}, found shape {show(mask[0].shape)}",
                "a layer of type mask makes one",
            )
        return inputs

    def _scan(self, builder: Builder, x: Any, mask: list[Any], *, reverse: bool) -> Any:
        batch, steps, features = x.shape
        width = self.gates * self.units
        weight = builder.parameter(
            "weight", (features, width), kind="weight", fans=(features, width),
            initializer=self.initializer, regularizer=self.regularizer, default=self._default(builder, "weight"),
        )  # fmt: skip
        recurrent = builder.parameter(
            "recurrent_weight", (self.units, width), kind="weight", fans=(self.units, width),
            initializer=self.recurrent_initializer, regularizer=self.recurrent_regularizer,
            default=self._default(builder, "recurrent_weight"),
        )  # fmt: skip
        # One large product for all steps; only what depends on the state is left to the scan.
        p = builder.apply("matmul", builder.apply("reshape", x, shape=(batch * steps, features)), weight)
        if self.bias:
            p = p + self._biases(builder, features)
        p = builder.apply("reshape", p, shape=(batch, steps, width))
        states = [self._first(builder, name, batch) for name in self.states]
        sequences = self.cell(builder, p, recurrent, states, mask, reverse=reverse)
        last = 0 if reverse else steps - 1
        ends = [
            builder.apply(
                "reshape",
                builder.apply("slice", s, axis=1, start=last, stop=last + 1),
                shape=(batch, self.units),
            )
            for s in sequences
        ]
        if self._resumes(builder):
            for state, end in zip(states, ends, strict=True):
                builder.set_state(state, end)
        return sequences[0] if self.return_sequence else ends[0]

    def cell(
        self, builder: Builder, p: Any, recurrent: Any, states: list[Any], mask: list[Any], *, reverse: bool
    ) -> list[Any]:
        """The sequences of all states (batch, time, units), the output first. p: the inputs' part of the sums."""
        raise NotImplementedError

    def _resumes(self, builder: Builder) -> bool:
        return builder.resuming == "all" or (builder.resuming == "stateful" and self.stateful)

    def _first(self, builder: Builder, name: str, batch: Any) -> Any:
        shape = (batch, self.units)
        return builder.state(name, shape) if self._resumes(builder) else builder.apply("zeros", shape=shape)

    def _biases(self, builder: Builder, features: int) -> Any:
        """Biases that join the inputs' part of the sums, (gates·units,)."""
        return self._bias(builder, "bias", features)

    def _bias(self, builder: Builder, name: str, features: int, initializer: Initializer | None = None) -> Any:
        width = self.gates * self.units
        return builder.parameter(
            name, (width,), kind="bias", fans=(features, width),
            initializer=initializer or self.bias_initializer, regularizer=self.bias_regularizer,
            default=self._default(builder, "bias"),
        )  # fmt: skip

    def _default(self, builder: Builder, name: str) -> Initializer:
        if (self.convention or builder.convention) != "keras":
            bound = 1.0 / math.sqrt(self.units)
            return Uniform(low=-bound, high=bound)
        return {"weight": GlorotUniform(), "recurrent_weight": Orthogonal(), "bias": Zeros()}[name]

    def problems(self) -> list[Problem]:
        problems = bias_problems(self)
        if self.stateful and self.bidirectional:
            problems.append(
                Problem(
                    "stateful",
                    "a bidirectional layer cannot carry its state: the second cell begins at the end",
                    "remove one of the two",
                )
            )
        return problems


@dataclass(frozen=True, kw_only=True)
class TwoBiases(Recurrent):
    """A cell whose biases appear once with the inputs and, in PyTorch, once more with the state."""

    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {"recurrent_bias": {"torch": True, "keras": False}}

    recurrent_bias: Annotated[
        bool | None, "a second bias, added to the same sums; by convention if absent: torch has it, keras not"
    ] = None

    def _biases(self, builder: Builder, features: int) -> Any:
        bias = super()._biases(builder, features)
        return bias + self._bias(builder, "recurrent_bias", self.units) if self.settled("recurrent_bias") else bias


@register("layer", "rnn")
class Rnn(TwoBiases):
    """The plain recurrent layer (Elman 1990).

    Parameters: `weight` (features, units), `recurrent_weight` (units, units), `bias` and
    perhaps `recurrent_bias` (units,).

    First values where neither layer nor spec names an initializer: torch and book, all U(±1/√units); keras,
    Glorot's uniform input weights, orthogonal recurrent weights, zero biases.
    """

    formula = "h_t = f(x_t·W + h_{t−1}·R + b)"
    example = "{type: rnn, units: 32, activation: tanh}"

    activation: Annotated[Literal["tanh", "relu"], "f"] = "tanh"

    @property
    def output_activation(self) -> Activation:
        return Tanh() if self.activation == "tanh" else Relu()

    def cell(
        self, builder: Builder, p: Any, recurrent: Any, states: list[Any], mask: list[Any], *, reverse: bool
    ) -> list[Any]:
        """See `Recurrent`."""
        return [builder.apply("rnn", p, recurrent, *states, *mask, activation=self.activation, reverse=reverse)]
