"""The passes of recurrent cells as generated code calls them, each for one example at one step.

`cells_ir` has the formulas, and what the arrays are.
"""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import symbol
from nnctl.backends.cpu.compiler.objects import bind
from nnctl.backends.cpu.vectors.cells_ir import PASSES, PREFIX, module_text
from nnctl.backends.machine import vector_bits


@cache
def load() -> None:
    """Bind the symbols of all passes."""
    bind("cells", partial(module_text, vector_bits()), [PREFIX + name for name in PASSES])


@symbol("nnctl_rnn_tanh", load)
def rnn_tanh(units: Any, ahead: Any, p: Any, z: Any, state: Any, h: Any) -> None:
    """h, state ← tanh(p + z)."""


@symbol("nnctl_rnn_relu", load)
def rnn_relu(units: Any, ahead: Any, p: Any, z: Any, state: Any, h: Any) -> None:
    """h, state ← max(0, p + z); a NaN stays."""


@symbol("nnctl_leaky_rnn_tanh", load)
def leaky_rnn_tanh(units: Any, ahead: Any, leak: Any, p: Any, z: Any, before: Any, state: Any, h: Any) -> None:
    """h, state ← (1 − α)·before + α·tanh(p + z)."""


@symbol("nnctl_rnn_tanh_back", load)
def rnn_tanh_back(units: Any, ahead: Any, h: Any, of_h: Any, dh: Any, d: Any, dp: Any) -> None:
    """d, dp ← (dh + of_h)∘(1 − h²); dh ← 0, for the product back to be added to."""


@symbol("nnctl_rnn_relu_back", load)
def rnn_relu_back(units: Any, ahead: Any, h: Any, of_h: Any, dh: Any, d: Any, dp: Any) -> None:
    """d, dp ← dh + of_h where h > 0, else 0; dh ← 0."""


@symbol("nnctl_lstm_gates", load)
def lstm_gates(
    units: Any, ahead: Any, p: Any, z: Any, before: Any, cell: Any, state: Any, h: Any, c: Any, gates: Any
) -> None:
    """gates ← (i, f, g, o) of p + z; cell, c ← f∘before + i∘g; state, h ← o∘tanh(c)."""


@symbol("nnctl_lstm_gates_back", load)
def lstm_gates_back(
    units: Any,
    ahead: Any,
    gates: Any,
    c: Any,
    before: Any,
    of_h: Any,
    of_c: Any,
    of_gates: Any,
    dh: Any,
    dc: Any,
    d: Any,
    dp: Any,
) -> None:
    """d, dp ← the gradients of the gates' sums; dc ← that of the cell before, dh ← 0."""


@symbol("nnctl_gru_gates", load)
def gru_gates(units: Any, ahead: Any, p: Any, bias: Any, z: Any, before: Any, state: Any, h: Any, gates: Any) -> None:
    """gates ← (r, z, n, the state's part of n's sum); state, h ← (1 − z)∘n + z∘before."""


@symbol("nnctl_gru_gates_back", load)
def gru_gates_back(
    units: Any, ahead: Any, gates: Any, before: Any, of_h: Any, of_gates: Any, dh: Any, d: Any, ds: Any, dp: Any
) -> None:
    """dp ← the gradients of the inputs' part of the sums; d, ds ← of the state's; dh ← what goes straight back."""


@symbol("nnctl_gru_switches", load)
def gru_switches(units: Any, ahead: Any, p: Any, bias: Any, z: Any, state: Any, kept: Any, gates: Any) -> None:
    """gates[:2] ← (r, z); kept ← r∘state, for the product of the candidate."""


@symbol("nnctl_gru_candidate", load)
def gru_candidate(
    units: Any, ahead: Any, p: Any, bias: Any, z: Any, before: Any, state: Any, h: Any, gates: Any
) -> None:
    """gates[2] ← n, from the product z of what the reset gate kept; state, h ← (1 − z)∘n + z∘before."""


@symbol("nnctl_gru_candidate_back", load)
def gru_candidate_back(
    units: Any, ahead: Any, gates: Any, before: Any, of_h: Any, of_gates: Any, dh: Any, d: Any, ds: Any, dp: Any
) -> None:
    """d, ds, dp [1:] ← the gradients of the sums of z and n; dh ← what goes straight back."""


@symbol("nnctl_gru_switches_back", load)
def gru_switches_back(
    units: Any, ahead: Any, gates: Any, before: Any, through: Any, of_gates: Any, dh: Any, d: Any, ds: Any, dp: Any
) -> None:
    """d, ds, dp [0] ← the gradient of the sum of r; dh ← dh + r∘through."""
