"""The gated recurrent layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from nnctl.components.base import Initializer
from nnctl.components.builder import Builder
from nnctl.components.initializers import Uniform, Zeros
from nnctl.components.layers.peepholes import scan
from nnctl.components.layers.recurrent import Recurrent, TwoBiases
from nnctl.components.registry import register
from nnctl.late import dataclass


@dataclass(frozen=True, kw_only=True)
class OpenForgetGate(Initializer):
    """Another initializer's biases with 1 at the forget gate (Jozefowicz, Zaremba & Sutskever 2015)."""

    others: Annotated[Initializer, "of the other gates"]

    def draw(self, rng: Any, shape: tuple[int, ...], fan_in: int, fan_out: int) -> Any:
        """Gates lie in the order i, f, g, o."""
        values = self.others.draw(rng, shape, fan_in, fan_out)
        units = shape[0] // Lstm.gates
        values[units : 2 * units] = 1.0
        return values


@register("layer", "lstm")
class Lstm(TwoBiases):
    """Long short-term memory (Hochreiter & Schmidhuber 1997; forget gate: Gers, Schmidhuber & Cummins 2000).

    Parameters, gates in the order i, f, g, o: `weight` (features, 4·units),
    `recurrent_weight` (units, 4·units), `bias` and perhaps `recurrent_bias` (4·units,); with `peepholes`,
    `peephole_weight` (3·units,) of the gates i, f, o, at first U(±1/√units): i and f see c_{t−1} by it, o sees c_t.
    The regularizer of the recurrent weights is on these, too.

    First values where neither layer nor spec names an initializer: torch and book, all U(±1/√units); keras,
    Glorot's uniform input weights, orthogonal recurrent weights, zero biases.
    """

    formula = "c_t = f∘c_{t−1} + i∘g, h_t = o∘tanh c_t; i, f, o = σ(x_t·W + h_{t−1}·R + b), g = tanh(…)"
    example = "{type: lstm, units: 128, return_sequence: true}"
    gates = 4
    states = ("hidden", "cell")
    by_convention: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        **TwoBiases.by_convention,
        "unit_forget_bias": {"torch": False, "keras": True},
    }

    unit_forget_bias: Annotated[
        bool | None,
        "begin with 1 as the forget gate's bias, 0 or the layer's bias_initializer for the others; "
        "by convention if absent: keras does",
    ] = None
    peepholes: Annotated[
        bool,
        "gates see the cell, too (Gers, Schraudolph & Schmidhuber 2002); every step is then nodes of the graph, and no "
        "kernel scans them: for short sequences",
    ] = False

    def cell(
        self, builder: Builder, p: Any, recurrent: Any, states: list[Any], mask: list[Any], *, reverse: bool
    ) -> list[Any]:
        """See `Recurrent`."""
        if self.peepholes:
            bound = 1.0 / math.sqrt(self.units)
            peepholes = builder.parameter(
                "peephole_weight", (3 * self.units,), kind="weight", fans=(self.units, self.units),
                initializer=Uniform(low=-bound, high=bound), regularizer=self.recurrent_regularizer,
            )  # fmt: skip
            return scan(builder, p, recurrent, peepholes, states, mask, reverse=reverse)
        return list(builder.apply_all("lstm", p, recurrent, *states, *mask, reverse=reverse)[:2])

    def _bias(self, builder: Builder, name: str, features: int, initializer: Initializer | None = None) -> Any:
        if name == "bias" and self.settled("unit_forget_bias"):
            initializer = OpenForgetGate(others=self.bias_initializer or Zeros())
        return super()._bias(builder, name, features, initializer)


@register("layer", "gru")
class Gru(Recurrent):
    """The gated recurrent unit (Cho et al. 2014), an LSTM with one state and one gate less.

    Parameters, gates in the order r, z, n: `weight` (features, 3·units), `recurrent_weight`
    (units, 3·units), `bias` (3·units,) and, with `reset_after`, `recurrent_bias` (3·units,).

    First values where neither layer nor spec names an initializer: torch and book, all U(±1/√units); keras,
    Glorot's uniform input weights, orthogonal recurrent weights, zero biases.
    """

    formula = "h_t = (1 − z)∘n + z∘h_{t−1}; r, z = σ(x_t·W + h_{t−1}·R + b), n = tanh(x_t·W_n + r∘(h_{t−1}·R_n + b_n))"
    example = "{type: gru, units: 64, return_sequence: true}"
    gates = 3

    reset_after: Annotated[
        bool, "r multiplies the product of the state; false: the state itself, as in Cho et al.: (r∘h_{t−1})·R_n"
    ] = True

    def cell(
        self, builder: Builder, p: Any, recurrent: Any, states: list[Any], mask: list[Any], *, reverse: bool
    ) -> list[Any]:
        """See `Recurrent`."""
        if self.bias and self.reset_after:
            bias = self._bias(builder, "recurrent_bias", self.units)
        else:
            bias = builder.apply("zeros", shape=(self.gates * self.units,))
        attributes = {"reset_after": self.reset_after, "reverse": reverse}
        return [builder.apply_all("gru", p, recurrent, bias, *states, *mask, **attributes)[0]]
