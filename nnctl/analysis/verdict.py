"""The verdict on a finished run: is it better than a guess that looks at no input, and than it began?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnctl.analysis import remedies
from nnctl.components.base import Cost, ElementwiseCost
from nnctl.data.dataset import Dataset
from nnctl.ops.namespaces import numpy_namespace
from nnctl.spec.document import Spec

_WORSE = 1.05
"""A cost so many times another is worse than it, and not just another draw."""
_ELEMENTS = 1 << 22
"""Elements of the targets from which the cost of a constant answer is estimated."""


def verdict(
    spec: Spec, data: Dataset, units: int, rows: Sequence[Mapping[str, Any]], last: Any, test: Any
) -> tuple[str, ...]:
    """A warning where a run ended worse than a guess, or than it began, with what to try; none where it did not.

    units: of the net's output. rows: of the metrics. last: the one whose weights the run ends with.
    test: the row of the test, None without one.
    """
    if last is None:
        return ()
    # The mean over training up to the first row has the untrained net in it.
    begun = last["step"] == rows[0]["step"]
    costs = {
        "training": None if begun else last["train_cost"],
        "validation": last.get("validation_cost"),
        "test": None if test is None else test["test_cost"],
    }
    known = {split: cost for split, cost in costs.items() if cost is not None}
    guess, first = cost_of_guess(spec.cost, data, units), rows[0]["train_cost"]
    # Training alone may cost more than a guess, by dropout or by changed examples.
    if known and guess is not None and min(known.values()) > _WORSE * guess:
        than = f"worse than the {guess:.4g} of a guess that looks at no input"
    elif "training" in known and first is not None and known["training"] > _WORSE * first:
        than = f"worse than the {first:.4g} of its first row"
    else:
        return ()
    found = [f"{finding.words}: {finding.remedy}" for finding in remedies.of_data(data)]
    rate = spec.optimizer.rates().get("learning_rate")
    if not found and rate is not None:
        found = [f"train for longer, or {remedies.of_rate(rate)}" if begun else remedies.of_rate(rate)]
    split, cost = next(iter(known.items()))
    return (f"the {split} cost ended at {cost:.4g}, {than}", *found)


def cost_of_guess(cost: Cost, data: Dataset, units: int) -> float | None:
    """The cost of the best answer that looks at no input, as far as it is known; None where it is not.

    The same for every class, where the cost says what that is, else the mean of the targets.
    """
    classes = data.signature.classes
    guess = None if classes is None else cost.of_even_guess(len(classes), units)
    if guess is not None or not isinstance(cost, ElementwiseCost) or data.signature.weights_shape is not None:
        return guess
    targets = _values(data, units)
    mean = np.broadcast_to(targets.mean(axis=0), targets.shape)
    with np.errstate(all="ignore"):
        terms = np.asarray(cost.body(numpy_namespace(), mean, targets), np.float64).reshape(len(targets), -1)
    of_each = terms.mean(axis=1) if cost.mean else terms.sum(axis=1)
    found = float(of_each.mean())
    return found if np.isfinite(found) else None


def _values(data: Dataset, units: int) -> NDArray[np.float64]:
    """Targets as an elementwise cost sees them, of some examples, float64."""
    targets = data.train.targets[: max(1, _ELEMENTS // max(1, data.train.targets[0].size * units))]
    if data.signature.classes is not None:
        targets = targets[targets >= 0] if data.signature.ignores else targets
        if units == 1:
            return targets[..., None].astype(np.float64)
        return np.asarray(np.eye(units)[targets], np.float64)
    values = targets.astype(np.float64)
    if data.target_shift is not None and data.target_scale is not None:
        values = (values - data.target_shift) * data.target_scale
    return values
