"""Generated sets are bounded by their fields, before a number is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from nnctl.components.registry import components
from nnctl.data.limits import CLASSES
from nnctl.data.sources.generated import MOST_NUMBERS, GeneratedSource
from nnctl.errors import DataError, SpecError
from nnctl.spec.load import load_text
from nnctl.spec.schema.forms import fields_of

GENERATED = [name for name, cls in components("data").items() if issubclass(cls, GeneratedSource)]


def load(data: str) -> None:
    load_text(f"data: {data}\nlayers: [{{type: dense, units: 1}}]\ncost: mse\n")


@pytest.mark.parametrize("name", GENERATED)
def test_every_generated_set_has_a_largest_size(name: str) -> None:
    load(f"{{type: {name}}}")
    with pytest.raises(SpecError, match=rf"data has .* numbers, and at most {MOST_NUMBERS:,} are made"):
        load(f"{{type: {name}, examples: {10**15}}}")


@pytest.mark.parametrize(
    "data",
    [
        "{type: spirals, arms: 300000000}",
        "{type: blobs, centers: 300000000}",
        "{type: blobs, features: 300000000}",
        "{type: copy_memory, symbols: 300000000}",
        "{type: copy_memory, delay: 300000000}",
        "{type: adding, length: 300000000}",
        "{type: mackey_glass, delay: 1.0e+308}",
        "{type: mackey_glass, ahead: 300000000}",
        "{type: narma, length: 300000000}",
    ],
)
def test_no_field_makes_a_set_too_large(data: str) -> None:
    with pytest.raises(SpecError, match=rf"are made|of at most {CLASSES}"):
        load(data)


def test_the_walk_sees_them_all() -> None:
    assert len(GENERATED) > 10
    assert all("examples" in fields_of(components("data")[name]) for name in GENERATED)


@pytest.mark.parametrize("name", [name for name in GENERATED if "noise" in fields_of(components("data")[name])])
@pytest.mark.parametrize("noise", ["1.0e+300", "1.7e+308"])
def test_noise_beyond_single_precision_is_told(name: str, noise: str, tmp_path: Path) -> None:
    source = components("data")[name](noise=float(noise), examples=50)
    with pytest.raises(DataError, match=rf"what {name} makes.*(too large for single precision|no finite number)"):
        source.read(tmp_path, 0)
