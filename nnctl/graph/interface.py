"""Names at the edge of a graph: what a step is given, what outlives it, what it gives.

Whoever writes a graph and whoever runs one agree here. Names of parameters and of
layers' states are the components' own, `<layer>.<name>`, as are those of an
optimizer's scheduled fields and of metrics. What is stored under these names is
stored under them in checkpoints too.
"""

from __future__ import annotations

from typing import Final

from nnctl.ops.shapes import BATCH, ROWS

# -- a data set, stored ------------------------------------------------------

INPUTS: Final = "data.inputs"
"""Inputs of a whole split, (rows, *input shape)."""
TARGETS: Final = "data.targets"
"""Targets of a whole split, (rows, *target shape); a label that is left out is any class."""
EXAMPLE_WEIGHTS: Final = "data.weights"
"""Weights of the examples of a split in the cost, (rows,), or of the labels of sequences, (rows, time)."""
COUNTED: Final = "data.counted"
"""1 for each label of a split that counts, 0 for one that is left out, of the labels' shape."""
SHIFT: Final = "data.shift"
SCALE: Final = "data.scale"
TARGET_SHIFT: Final = "data.target_shift"
TARGET_SCALE: Final = "data.target_scale"
"""(y − shift)·scale is what the cost compares with where targets are rescaled; answers go the way back."""
STATISTICS: Final = (SHIFT, SCALE)
"""(x − shift)·scale is what the net reads of an input x."""
EXAMPLES: Final = "examples"
"""Size of the training set, (): the n in λ/n."""
SEED: Final = "seed"
"""Key of the random numbers, (2,): see `seed_words`."""

COLUMNS: Final = "columns"
"""The name of the layer that the vectors of embedded columns are, `columns.<column>.weight`."""

# -- a step's feeds ----------------------------------------------------------

INDEX: Final = "index"
"""Rows of the data set that the step reads, (batch,)."""
STEP: Final = "step"
"""Training steps done before, (): it keys random numbers and is Adam's t − 1."""

GIVEN_TARGETS: Final = "given.targets"
"""Targets of outputs that did not come from this graph, (batch, …)."""

# -- outputs -----------------------------------------------------------------

COST: Final = "cost"
"""Mean cost of the batch, ()."""
WEIGHT: Final = "weight"
"""Share of the batch in a mean of costs, ()."""
LABELS_COUNTED: Final = "counted"
"""Number of the batch's labels that are not left out, (); where none can be, it is no output."""
EACH_COUNTED: Final = "counted.each"
"""1 for each label of the batch that counts, 0 for one that is left out, (batch · labels of an example,)."""
OUTPUT: Final = "output"
"""Activations of the last layer, (batch, …)."""
PENALTY: Final = "penalty"
"""Part of the objective that is the regularizers', ()."""
OBJECTIVE: Final = "objective"
"""Cost plus penalty, ()."""
FEATURES: Final = "features"
"""Rows that the readout reads, (rows, fan_in)."""
READOUT_TARGETS: Final = "targets"
"""Rows that the readout is to give, (rows, units)."""

_OPTIMIZER, _DATA, _GRADIENT, _STATE, _DIRECTION = "optimizer.", "data.", "gradient.", "state.", "direction."


def optimizer_state(name: str, parameter: str = "") -> str:
    """Name of an optimizer's array: of one parameter, or of all of them together."""
    return f"{_OPTIMIZER}{name}.{parameter}" if parameter else f"{_OPTIMIZER}{name}"


def of_data(name: str) -> str:
    """Name of a statistic of the data: `SHIFT` for "shift"."""
    return f"{_DATA}{name}"


def layer_of(stored: str) -> str | None:
    """Root layer that a stored array belongs to; None for the optimizer's and the data's."""
    return None if stored.startswith((_OPTIMIZER, _DATA)) else stored.partition(".")[0]


def gradient(parameter: str) -> str:
    """Output that holds ∂objective/∂parameter, of the parameter's shape."""
    return f"{_GRADIENT}{parameter}"


def new_state(state: str) -> str:
    """Output that holds a state's value after the step."""
    return f"{_STATE}{state}"


def direction(parameter: str) -> str:
    """Feed that holds the part of v in a product ∇²objective·v, of the parameter's shape."""
    return f"{_DIRECTION}{parameter}"


def statistic(column: str, name: str) -> str:
    """Output that holds a statistic of a metric: the column itself where the statistic has no name."""
    return f"{column}/{name}" if name else column


def statistic_of(output: str) -> tuple[str, str]:
    """(column, name of the statistic) of an output that holds one with a name."""
    column, _, name = output.rpartition("/")
    return column, name


def parameter_of(output: str) -> str | None:
    """Parameter that an output is the gradient of; None for other outputs."""
    return output.removeprefix(_GRADIENT) if output.startswith(_GRADIENT) else None


def state_of(output: str) -> str | None:
    """State whose new value an output is; None for other outputs."""
    return output.removeprefix(_STATE) if output.startswith(_STATE) else None


def is_measure(output: str) -> bool:
    """True of outputs of a training step that are reported: the cost, its weight, metrics."""
    return output != OBJECTIVE and not output.startswith((_GRADIENT, _STATE))


def sizes(batch: int, rows: int = 0) -> dict[str, int]:
    """Lengths of the symbolic axes: examples of a step, and of the data set that it reads from."""
    return {BATCH.name: batch, ROWS.name: rows}


def seed_words(seed: int) -> tuple[int, int]:
    """Lower and upper 32 bits of a seed."""
    return seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
