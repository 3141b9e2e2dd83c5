"""Augmentations: what all of them keep, and what each of them does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augmenting import BYTES, COLOURS, LABELS, NAMES, REQUIRED, augment, make
from scipy import ndimage, stats

from nnctl.components.registry import components
from nnctl.data.dataset import load_dataset
from nnctl.data.examples import Description
from nnctl.data.streams import Draws, Purpose, bit_generator
from nnctl.data.summary import required_fields
from nnctl.errors import DataError
from nnctl.spec.load import load_text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("inputs", "scale"), [(BYTES, 1 / 16), (COLOURS, 1.0)], ids=["bytes", "colours"])
def test_what_all_of_them_keep(name: str, inputs: Any, scale: float) -> None:
    before, targets = inputs.copy(), LABELS.copy()
    changed, labels = augment(make(name), inputs, targets, scale=scale)
    assert (changed.shape, changed.dtype) == (inputs.shape, inputs.dtype)
    assert (labels.shape, labels.dtype) == (targets.shape, targets.dtype)
    np.testing.assert_array_equal(inputs, before)
    np.testing.assert_array_equal(targets, LABELS)
    assert not np.array_equal(changed, inputs)
    assert np.isfinite(changed).all()
    if inputs.dtype == np.uint8:
        assert changed.max() <= 16
    again, _ = augment(make(name), inputs, scale=scale)
    np.testing.assert_array_equal(changed, again)
    other, _ = augment(make(name), inputs, scale=scale, epoch=1)
    assert not np.array_equal(changed, other)


@pytest.mark.parametrize("name", [n for n in NAMES if not components("augmentation")[n].mixes])
def test_an_example_changes_the_same_in_any_company(name: str) -> None:
    together, _ = augment([make(name), make("noise")], COLOURS)
    apart = [augment([make(name), make("noise")], COLOURS[p], LABELS[p], first=p.start)[0] for p in PARTS]
    np.testing.assert_array_equal(together, np.concatenate(apart))


PARTS = [slice(0, 3), slice(3, 4), slice(4, 40)]


@pytest.mark.parametrize(
    "name", [n for n in NAMES if "probability" in {f.name for f in dataclasses.fields(components("augmentation")[n])}]
)
def test_the_others_are_spared(name: str) -> None:
    inputs = np.random.default_rng(1).uniform(0.1, 1.0, (2000, 6, 6, 1)).astype(np.float32)
    whole, _ = augment(make(name, probability=1.0), inputs, np.zeros(2000))
    some, _ = augment(make(name, probability=0.3), inputs, np.zeros(2000))
    touched = (some != inputs).any(axis=(1, 2, 3))
    assert touched.mean() == pytest.approx(0.3 * (whole != inputs).any(axis=(1, 2, 3)).mean(), abs=0.04)
    np.testing.assert_array_equal(some[touched], whole[touched])


def test_a_shift_moves_by_whole_pixels() -> None:
    changed, _ = augment(make("shift", pixels=2), COLOURS)
    seen = set()
    for old, new in zip(COLOURS, changed):
        fitting = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(new, ndimage.shift(old, (down, right, 0), order=0))
        ]
        assert len(fitting) == 1
        seen |= set(fitting)
    assert len(seen) > 15


def test_a_shift_in_given_directions_goes_all_the_way() -> None:
    changed, _ = augment(make("shift", pixels=2, directions=("up", "right")), COLOURS)
    ways = [np.pad(COLOURS, ((0, 0), (0, 2), (0, 0), (0, 0)))[:, 2:], np.pad(COLOURS, ((0, 0),) * 2 + ((2, 0), (0, 0)))]
    up, right = ((changed == way[:, : changed.shape[1], : changed.shape[2]]).all(axis=(1, 2, 3)) for way in ways)
    assert (up ^ right).all()
    assert 8 < up.sum() < 32


def test_a_flip_is_a_mirror() -> None:
    for axis, mirrored in (("horizontal", COLOURS[:, :, ::-1]), ("vertical", COLOURS[:, ::-1])):
        changed, _ = augment(make("flip", axis=axis, probability=1.0), COLOURS)
        np.testing.assert_array_equal(changed, mirrored)


def test_uniform_numbers_are_the_middles_of_their_intervals() -> None:
    """52 bits of the generator's words, wherever examples begin; a counter's words that nobody wants are skipped."""
    numbers = Draws(5, Purpose.AUGMENT, 3, 1, 2, 9).uniform(2, 3)
    words = bit_generator(5, Purpose.AUGMENT, 3 << 16 | 1 << 8).random_raw(9 * 8).reshape(9, 8)[2:, :6]
    np.testing.assert_array_equal(numbers, (((words >> np.uint64(12)) + 0.5) * 2.0**-52).reshape(7, 2, 3))


def test_angles_and_factors_stay_in_their_bounds() -> None:
    draws = Draws(0, Purpose.AUGMENT, 0, 0, 0, 5000)
    turned = make("rotate", degrees=30.0).maps(draws, (8, 8, 1))
    angle = np.degrees(np.arctan2(turned[:, 0, 1], turned[:, 0, 0]))
    assert (np.abs(angle).max(), angle.min()) == (pytest.approx(30.0, abs=0.1), pytest.approx(-30.0, abs=0.1))
    np.testing.assert_allclose(np.linalg.det(turned), 1.0)
    slanted = make("shear", degrees=45.0).maps(draws, (8, 8, 1))[:, 1, 0]
    assert np.abs(slanted).max() == pytest.approx(1.0, abs=0.01)
    factor = 1 / make("scale", low=0.5, high=2.0).maps(draws, (8, 8, 1))[:, 0, 0]
    assert (factor.min(), factor.max()) == (pytest.approx(0.5, abs=0.01), pytest.approx(2.0, abs=0.01))
    assert np.median(factor) == pytest.approx(1.0, abs=0.05)


def test_a_crop_without_stretching_only_moves() -> None:
    changed, _ = augment(make("random_crop", padding=1, least=1.0), COLOURS)
    moved = [np.roll(np.pad(COLOURS, ((0, 0), (1, 1), (1, 1), (0, 0))), (r, c), (1, 2))[:, 1:-1, 1:-1]
             for r in (-1, 0, 1) for c in (-1, 0, 1)]  # fmt: skip
    assert np.any([(changed == m).all(axis=(1, 2, 3)) for m in moved], axis=0).all()


def test_a_stretched_crop_stays_in_the_image() -> None:
    """Without padding nothing comes in from outside."""
    ones = np.ones((200, 9, 9, 1), np.float32)
    changed, _ = augment(make("random_crop", padding=0, least=0.5), ones, np.zeros(200))
    np.testing.assert_allclose(changed, 1.0, atol=1e-6)


def test_a_cutout_covers_a_square_or_what_the_edge_leaves_of_it() -> None:
    ones = np.ones((500, 8, 8, 2), np.float32)
    changed, _ = augment(make("cutout", size=4, fill=0.25), ones, np.zeros(500))
    covered = (changed == 0.25).all(axis=3)
    assert ((changed == 1.0) | (changed == 0.25)).all()
    assert covered.sum(axis=(1, 2)).max() == 16
    assert covered.sum(axis=(1, 2)).min() == 4
    assert covered.mean(axis=0).min() > 0.05


def test_noise_has_its_deviation_and_bytes_stay_bytes() -> None:
    flat = np.zeros((3000, 20), np.float32)
    changed, _ = augment(make("noise", std=0.5), flat, np.zeros(3000))
    assert changed.std() == pytest.approx(0.5, abs=0.01)
    middle = np.full((3000, 4, 4, 1), 8, np.uint8)
    stored, _ = augment(make("noise", std=0.125), middle, np.zeros(3000), scale=1 / 16)
    assert stored.std() == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("scale", [1.0, 1 / 255], ids=["numbers", "bytes"])
def test_noise_is_the_formula_of_its_field(scale: float) -> None:
    """x' − x is normal with variance std², of each number, and of bytes rounded and within their range."""
    still = np.full((400, 28, 28, 1), 100 if scale < 1.0 else 0.3, np.uint8 if scale < 1.0 else np.float32)
    changed, _ = augment(make("noise", std=0.04), still, np.zeros(400), scale=scale)
    moved = (changed.astype(np.float64) - still) * scale
    rounded = scale**2 / 12 if scale < 1.0 else 0.0
    assert moved.var() == pytest.approx(0.04**2 + rounded, rel=0.01)
    assert moved.mean() == pytest.approx(0.0, abs=4 * 0.04 / np.sqrt(moved.size))
    np.testing.assert_allclose(moved.std(axis=0), 0.04, rtol=0.2)
    steps = np.arange(100.5 - 40, 100.5 + 40) if scale < 1.0 else np.linspace(0.2, 0.4, 81)
    below = np.searchsorted(np.sort(changed, axis=None), steps) / changed.size
    expected = stats.norm.cdf((steps - float(still[0, 0, 0, 0])) * scale / 0.04)
    np.testing.assert_allclose(below, expected, atol=2.0 / np.sqrt(changed.size))


def test_elastic_is_smooth_and_as_strong_as_it_says() -> None:
    ramp = np.broadcast_to(np.arange(40.0, dtype=np.float32)[:, None, None], (60, 40, 40, 1)).copy()
    changed, _ = augment(make("elastic", alpha=34.0, sigma=4.0), ramp, np.zeros(60))
    moved = (changed - ramp)[:, 12:28, 12:28, 0]
    # Uniform noise of variance 1/3 smoothed by a Gaussian: variance 1/(3·4πσ²).
    assert moved.std() == pytest.approx(34.0 / np.sqrt(12 * np.pi * 16), rel=0.15)
    assert np.abs(np.diff(moved, axis=1)).max() < 1.0


def test_mixed_values_keep_their_share() -> None:
    values = np.eye(40, dtype=np.float32)
    inputs = values.reshape(40, 40, 1, 1)
    mixed, targets = augment(make("mixup", alpha=1.0), inputs, values)
    np.testing.assert_allclose(mixed[:, :, 0, 0], targets, atol=1e-6)
    np.testing.assert_allclose(targets.sum(axis=1), 1.0, atol=1e-6)
    assert ((targets > 0).sum(axis=1) == 2).sum() > 30


def test_a_label_is_drawn_in_proportion() -> None:
    labels = np.arange(4000) % 2
    inputs = labels[:, None].astype(np.float32)
    mixed, drawn = augment(make("mixup", alpha=1.0), inputs, labels)
    share = mixed[:, 0]
    for low in (0.1, 0.3, 0.5, 0.7):
        band = (share > low) & (share < low + 0.2)
        assert drawn[band].mean() == pytest.approx(low + 0.1, abs=0.08)


SPEC = """
data: {{type: {data}, augment: [{part}]}}
layers: [flatten, {{type: dense, units: 2, activation: softmax}}]
cost: log_likelihood
"""


@pytest.mark.parametrize("part", ["shift", "flip", "elastic", "{type: cutout, size: 3}"])
def test_points_are_no_images(part: str) -> None:
    loaded = load_text(SPEC.format(data="moons", part=part))
    with pytest.raises(DataError, match=r"augment: \w+ needs images of shape .* have shape \(2,\)"):
        loaded.spec.data.signature(loaded.folder)


def test_points_can_be_shaken_and_mixed() -> None:
    loaded = load_text(SPEC.format(data="moons", part="noise, mixup"))
    assert loaded.spec.data.signature(loaded.folder).input_shape == (2,)


SYMMETRIC = np.array([[[[0], [200], [0]], [[255], [7], [255]]]] * 6, np.uint8)
"""Images of bytes that are their own mirror images, and all alike."""


def stored(dtype: str, path: Any) -> Any:
    """A spec's data section over those images, archived with that type."""
    np.savez(path / "pictures.npz", inputs=SYMMETRIC.astype(dtype), targets=np.arange(6) % 2)
    return {"type": "npz", "path": "pictures.npz"}


def loaded(data: Any, folder: Any) -> Any:
    spec = load_text(json.dumps({"data": data, "layers": ["flatten", {"type": "dense", "units": 2}], "cost": "mse"}))
    return load_dataset(spec.spec.data, folder, 0)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "bool"])
@pytest.mark.parametrize("name", NAMES)
def test_what_changes_nothing_leaves_archives_as_they_are(name: str, dtype: str, tmp_path: Any) -> None:
    """Every augmentation as an identity: of no example, or for want of anything to change."""
    cls = components("augmentation")[name]
    spared = {"probability": 1e-12} if "probability" in {f.name for f in dataclasses.fields(cls)} else {}
    data = stored(dtype, tmp_path)
    before = loaded(data, tmp_path).train
    augmented = {
        **data,
        "expand": [{"type": "augmented", "augment": [{"type": name, **REQUIRED.get(name, {}), **spared}]}],
    }
    found = loaded(augmented, tmp_path)
    assert found.train.inputs.dtype == before.inputs.dtype
    np.testing.assert_array_equal(found.train.inputs[:6], before.inputs)
    if name == "mixup" and before.inputs.dtype != np.uint8:
        # λ·x + (1 − λ)·x rounds.
        np.testing.assert_allclose(found.train.inputs[6:], before.inputs, rtol=1e-6)
    else:
        np.testing.assert_array_equal(found.train.inputs[6:], before.inputs)


def test_bytes_keep_their_range_whatever_they_enter_the_net_as(tmp_path: Any) -> None:
    part = {"type": "flip", "probability": 1}
    data = {**stored("uint8", tmp_path), "expand": [{"type": "augmented", "augment": [part]}]}
    rescaled = {**data, "transforms": [{"type": "min_max", "per": "dataset"}]}
    for section in (data, rescaled):
        found = loaded(section, tmp_path)
        np.testing.assert_array_equal(found.train.inputs[6:], SYMMETRIC)
        assert found.unit == 1 / 255


@pytest.mark.parametrize(("name", "largest"), [("digits", 16), ("mnist", 255), ("images", 255)])
def test_the_range_of_bytes_with_a_scale_is_what_is_1(name: str, largest: int) -> None:
    assert Description((1, 1, 1), "uint8", scale=1 / largest).unit == 1 / largest
    changed, _ = augment(make("noise", std=9.0), np.full((40, 2, 2, 1), largest, np.uint8), scale=1 / largest)
    assert set(np.unique(changed)) >= {0, largest}
    assert changed.max() == largest


def test_noise_on_bytes_is_in_the_unit_range(tmp_path: Any) -> None:
    part = {"type": "augmented", "augment": [{"type": "noise", "std": 0.1}]}
    found = loaded({**stored("uint8", tmp_path), "expand": [part]}, tmp_path)
    moved = np.abs(found.train.inputs[6:].astype(int) - found.train.inputs[:6])
    assert 5 < moved.mean() < 40


def test_bytes_that_enter_as_they_are_get_a_sentence(tmp_path: Any) -> None:
    (sentence,) = loaded(stored("uint8", tmp_path), tmp_path).advice
    assert "up to 255" in sentence
    assert "min_max" in sentence
    for quiet in (stored("uint8", tmp_path) | {"transforms": ["standardize"]}, stored("float32", tmp_path)):
        assert loaded(quiet, tmp_path).advice == ()


def without_files(cls: Any) -> bool:
    """True where examples come with nnctl."""
    return not required_fields(cls) and cls().where(Path()) in ("generated", "part of nnctl")


@pytest.mark.parametrize("name", sorted(name for name, cls in components("data").items() if without_files(cls)))
def test_what_changes_nothing_leaves_every_source_as_it_is(name: str) -> None:
    source = components("data")[name]()
    if source.describe(Path()).input_dtype == "index":
        pytest.skip("indices are never augmented")
    spared = components("expansion")["augmented"](augment=(make("noise", probability=1e-12),))
    before, found = (load_dataset(dataclasses.replace(source, expand=e), Path(), 0) for e in ((), (spared,)))
    n = len(before.train)
    np.testing.assert_array_equal(found.train.inputs[:n], before.train.inputs)
    np.testing.assert_array_equal(found.train.inputs[n:], before.train.inputs)


def test_small_numbers_are_quarters_of_words() -> None:
    numbers = Draws(5, Purpose.AUGMENT, 3, 1, 2, 9).quarters(3, 3)
    words = bit_generator(5, Purpose.AUGMENT, 3 << 16 | 1 << 8).random_raw(9 * 4).reshape(9, 4)[2:]
    quarters = np.stack([words >> np.uint64(16 * k) & np.uint64(0xFFFF) for k in range(4)], axis=2).reshape(7, 16)
    np.testing.assert_array_equal(numbers, quarters[:, :9].reshape(7, 3, 3))
