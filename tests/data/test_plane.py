"""Changes of the plane: maps, displacements, and both as one change."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from augmenting import COLOURS, LABELS, augment, make
from scipy import ndimage

from nnctl.components.registry import components
from nnctl.data import resample
from nnctl.data.resample import Field, affine, displaced
from nnctl.data.streams import Draws, Purpose
from nnctl.errors import SpecError
from nnctl.spec.load import load_text


def test_maps_of_the_plane_are_those_of_an_independent_interpolation() -> None:
    maps = np.tile(np.eye(3), (40, 1, 1))
    maps[:, :2] += np.random.default_rng(2).normal(scale=0.3, size=(40, 2, 3))
    middle = (np.array(COLOURS.shape[1:3]) - 1) / 2
    for old, new, m in zip(COLOURS, affine(COLOURS, maps, 0.0), maps):
        for channel in range(3):
            offset = middle - m[:2, :2] @ middle + m[:2, 2]
            # Interpolated with zeros around, as ours is: padded first, for mode="constant" alone has a hard edge.
            wide = np.pad(old[..., channel].astype(np.float64), 9)
            expected = ndimage.affine_transform(wide, m[:2, :2], offset + 9 - m[:2, :2] @ (9, 9), order=1)[9:-9, 9:-9]
            np.testing.assert_allclose(new[..., channel], expected, atol=2e-6)


def test_shifts_by_whole_pixels_are_those_of_an_interpolation() -> None:
    """Moved or interpolated, the same bits come out; beyond the image's length, too."""
    maps = np.tile(np.eye(3), (40, 1, 1))
    maps[:, :2, 2] = np.random.default_rng(4).integers(-8, 9, (40, 2))
    moved = affine(COLOURS, maps, 0.5)
    turned = np.concatenate([maps, [[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]]])
    interpolated = affine(np.concatenate([COLOURS, COLOURS[:1]]), turned, 0.5)[:-1]
    np.testing.assert_array_equal(moved, interpolated)
    assert (moved == 0.5).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize("block", [1, 100, 1 << 15])
@pytest.mark.parametrize("sigma", [0.1, 1.5, 6.0])
def test_displacements_are_those_of_an_independent_interpolation(
    sigma: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of fields that are as they were drawn, smoothed, and smoothed by a Gaussian wider than they are; in blocks."""
    monkeypatch.setattr(resample, "_BLOCK_PIXELS", block)
    numbers = np.random.default_rng(3).integers(0, 1 << 16, (40, 2, 5, 7), np.uint16)
    rows, columns = np.mgrid[:5, :7]
    farthest = 0.0
    field = Field(numbers, 6.0 * sigma, sigma, np.zeros(40, np.bool_))
    for i, new in enumerate(displaced(COLOURS, field, None, 0.5)):
        units = (2.0 * numbers[i] + 1) * 2.0**-16 - 1
        down, right = (6.0 * sigma * ndimage.gaussian_filter(u, sigma, mode="constant") for u in units)
        wide = np.pad(COLOURS[i, ..., 1].astype(np.float64), 9, constant_values=0.5)
        expected = ndimage.map_coordinates(wide, [rows + down + 9, columns + right + 9], order=1, cval=0.5)
        np.testing.assert_allclose(new[..., 1], expected, atol=5e-7)
        farthest = max(farthest, np.abs(down).max())
    assert 0.5 < farthest < 9


def test_maps_in_a_row_are_one() -> None:
    """A turn and the turn back by the same angle leave an image whole only if nothing is interpolated in between."""

    class Back(components("augmentation")["rotate"]):  # type: ignore[misc]
        def maps(self, draws: Any, shape: Any) -> Any:
            return np.linalg.inv(there.maps(type(draws)(7, Purpose.AUGMENT, 0, 0, 0, draws.count), shape))

    there = make("rotate", degrees=40.0)
    changed, _ = augment([there, Back(degrees=40.0)], COLOURS)
    np.testing.assert_allclose(changed, COLOURS, atol=1e-5)


def test_a_displacement_behind_maps_is_one_change_with_them() -> None:
    """By an independent interpolation at the displaced pixels' places under the maps, spared images among them."""
    parts = [make("rotate", degrees=40.0, probability=0.7), make("shear"), make("elastic", alpha=9.0, probability=0.7)]
    changed, _ = augment(parts, COLOURS)
    draws = [Draws(7, Purpose.AUGMENT, 0, place, 0, 40) for place in range(3)]
    turns, slants, field = (part.drawn(d, COLOURS.shape[1:]) for part, d in zip(parts, draws))
    middle = np.array([2.0, 3.0])
    for i, (old, new, total) in enumerate(zip(COLOURS, changed, turns @ slants)):
        found = np.indices((5, 7), np.float64)
        if not field.spared[i]:
            units = (2.0 * field.numbers[i] + 1) * 2.0**-16 - 1
            found += [9.0 * ndimage.gaussian_filter(u, 4.0, mode="constant") for u in units]
        away = found.reshape(2, -1).T - middle
        rows, columns = ((total[:2, :2] @ away.T).T + middle).T.reshape(2, 5, 7) + 9
        for channel in range(3):
            wide = np.pad(old[..., channel].astype(np.float64), 9)
            expected = ndimage.map_coordinates(wide, [rows, columns], order=1)
            np.testing.assert_allclose(new[..., channel], expected, atol=2e-6)


def test_what_comes_in_is_of_the_change_that_brought_it() -> None:
    """With fills of their own, and where maps stand behind a displacement, images are interpolated anew."""
    turn, bend = make("rotate", degrees=40.0, fill=0.5), make("elastic", alpha=9.0)
    for parts in ([turn, bend], [bend, turn], [bend, bend]):
        together, _ = augment(parts, COLOURS)
        images = COLOURS
        for place, part in enumerate(parts):
            images, _ = part.apply(images, LABELS, Draws(7, Purpose.AUGMENT, 0, place, 0, 40))
        np.testing.assert_array_equal(together, images)


def test_one_change_is_the_same_in_any_company() -> None:
    steps = [make("rotate", probability=0.6), make("scale"), make("elastic", probability=0.6)]
    together, _ = augment(steps, COLOURS)
    alone = [augment(steps, COLOURS[[i]], LABELS[[i]], first=i)[0] for i in range(len(COLOURS))]
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_those_spared_by_every_part_of_a_change_keep_their_bits() -> None:
    turned, bent = ([make(name, probability=0.5)] for name in ("rotate", "elastic"))
    changed, _ = augment(turned + bent, COLOURS)
    draws = [Draws(7, Purpose.AUGMENT, 0, place, 0, 40) for place in range(2)]
    (turns, field) = (step.drawn(d, COLOURS.shape[1:]) for (step,), d in zip((turned, bent), draws))
    still = (turns == np.eye(3)).all(axis=(1, 2))
    assert 3 < (still & field.spared).sum() < 20
    np.testing.assert_array_equal((changed == COLOURS).all(axis=(1, 2, 3)), still & field.spared)
    only_turned, _ = augment(turned, COLOURS)
    np.testing.assert_allclose(changed[field.spared], only_turned[field.spared], atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 3), (1, 9, 1), (9, 1, 2)])
def test_images_may_be_a_pixel_wide(shape: tuple[int, ...]) -> None:
    """Without displacement they stay as they are; with one, a pixel fades into what is around it."""
    images = np.random.default_rng(5).uniform(0.5, 1.0, (40, *shape)).astype(np.float32)
    weak, _ = augment([make("rotate", degrees=1e-9), make("elastic", alpha=1e-9)], images)
    np.testing.assert_allclose(weak, images, atol=1e-6)
    strong, _ = augment([make("rotate"), make("elastic", alpha=9.0, sigma=1.0)], images)
    assert (strong != images).any()
    assert ((strong >= 0.0) & (strong <= 1.0)).all()


@pytest.mark.parametrize("maps", [[], ["rotate"], ["scale", "shear"]])
def test_the_strongest_displacements_are_finite(maps: list[str]) -> None:
    """Pixels come from far outside, with no warning of numbers that overflow."""
    steps = [make(name, **({"low": 1e-6, "high": 1e6} if name == "scale" else {})) for name in maps]
    changed, _ = augment([*steps, make("elastic", alpha=1e6, sigma=0.1)], COLOURS)
    assert ((changed >= 0.0) & (changed <= 1.0)).all()
    assert (changed == 0.0).mean() > 0.1


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "elastic", "alpha": 1.7e308}, r"(?s)'alpha'.* at most 1000000\.0"),
        ({"type": "elastic", "sigma": 1e9}, r"(?s)'sigma'.* at most 1000000\.0"),
        ({"type": "scale", "low": 1e-310}, r"(?s)'low'.* at least 1e-06"),
        ({"type": "scale", "high": 1e200}, r"(?s)'high'.* at most 1000000\.0"),
    ],
)
def test_what_no_number_can_hold_is_an_error(part: dict[str, Any], words: str) -> None:
    spec = {"data": {"type": "digits", "augment": [part]}, "layers": ["flatten"], "cost": "mse"}
    with pytest.raises(SpecError, match=words):
        load_text(json.dumps(spec))


@pytest.mark.parametrize(
    "names", [["elastic"], ["rotate"], ["noise"], ["mixup"], ["rotate", "elastic"], ["shear", "elastic", "mixup"]]
)
@pytest.mark.parametrize("place", ["nnctl.data.resample._BLOCK_PIXELS", "nnctl.data.augment._NUMBERS"])
def test_images_do_not_depend_on_how_many_are_changed_at_a_time(
    names: list[str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets, steps = np.arange(len(COLOURS)), [make(name, probability=0.8) for name in names if name != "mixup"]
    steps += [make(name) for name in names if name == "mixup"]
    whole, chosen = augment(steps, COLOURS, targets)
    monkeypatch.setattr(place, 7 * COLOURS[0, ..., 0].size)
    parts, again = augment(steps, COLOURS, targets)
    np.testing.assert_array_equal(parts, whole)
    np.testing.assert_array_equal(again, chosen)
