"""Bounds of augmentations' numbers: what is within them is finite, what is beyond is an error at its line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from augmenting import BYTES, COLOURS, LABELS, NAMES, REQUIRED, augment, make

from nnctl.components.registry import components
from nnctl.errors import SpecError
from nnctl.spec.load import load_text

FILLED = [name for name in NAMES if hasattr(components("augmentation")[name], "fill")]
STRONGEST: list[tuple[str, dict[str, Any]]] = [
    ("shift", {"pixels": 2**63 - 1}),
    ("shift", {"pixels": 2**63 - 1, "directions": ("up",)}),
    ("random_crop", {"padding": 2**63 - 1}),
    ("random_crop", {"padding": 2**63 - 1, "least": 1e-300}),
    ("shear", {"degrees": 89.99999999999999}),
    ("cutout", {"size": 2**63 - 1}),
    ("noise", {"std": 1e30}),
    ("mixup", {"alpha": 1e-6}),
    ("mixup", {"alpha": 1e6}),
    *((name, {"fill": fill}) for name in FILLED for fill in (1e30, -1e30)),
]


@pytest.mark.parametrize(("name", "fields"), STRONGEST)
@pytest.mark.parametrize(("inputs", "scale"), [(BYTES, 1 / 16), (COLOURS, 1.0)], ids=["bytes", "colours"])
def test_the_strongest_is_finite(name: str, fields: dict[str, Any], inputs: Any, scale: float) -> None:
    """With no warning of numbers that overflow."""
    changed, labels = augment(make(name, **fields), inputs, scale=scale)
    assert np.isfinite(changed).all()
    assert set(labels) <= set(LABELS)


TOO_MUCH = [
    *(("noise", "std", value) for value in ("1e300", "4e38", "1.1e30", ".inf", ".nan", "0.0", "-1.0")),
    *(("mixup", "alpha", value) for value in ("1e300", "1.1e6", "9e-7", "1e-310", ".inf", ".nan", "0.0", "-1.0")),
    *((name, "fill", value) for name in FILLED for value in ("1e300", "4e38", "-1.1e30", ".inf", "-.inf", ".nan")),
]


@pytest.mark.parametrize(("name", "field", "value"), TOO_MUCH)
def test_what_float32_cannot_hold_is_an_error_at_its_line(name: str, field: str, value: str) -> None:
    others = "".join(f", {key}: {number}" for key, number in REQUIRED.get(name, {}).items())
    part = f"{{type: {name}, {field}: {value}{others}}}"
    with pytest.raises(SpecError, match=rf"(?s):3:\d+: error: '{field}' cannot be {value}\n"):
        load_text(f"data:\n  type: digits\n  augment: [{part}]\nlayers: [flatten]\ncost: mse\n")


@pytest.mark.parametrize("tiny", [1e-6, 1e-3])
def test_little_mixing_leaves_examples_as_they_are(tiny: float) -> None:
    """Nearly all of them, or takes the other one whole: half and half would be the opposite."""
    inputs = np.arange(400, dtype=np.float32)[:, None]
    mixed, _ = augment(make("mixup", alpha=tiny), inputs, np.zeros(400))
    assert (mixed == np.rint(mixed)).mean() > 0.95


def test_copies_are_as_many_as_there_are_streams_for() -> None:
    part = "{{type: augmented, augment: [noise], copies: {copies}}}"
    spec = f"data: {{{{type: digits, expand: [{part}]}}}}\nlayers: [flatten]\ncost: mse\n"
    load_text(spec.format(copies=1 << 16))
    with pytest.raises(SpecError, match=r"(?s)'copies' cannot be 65537.* at most 65536"):
        load_text(spec.format(copies=(1 << 16) + 1))
