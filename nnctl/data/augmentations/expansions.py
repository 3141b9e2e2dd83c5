"""Expansions: a larger training set, made once before training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, Le, MinLen

from nnctl.components.base import Augmentation, Expansion
from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register
from nnctl.data.augmentations.geometry import STEPS, Direction

if TYPE_CHECKING:
    from numpy.typing import NDArray


@register("expansion", "shift")
class ShiftedCopies(Expansion):
    """A copy of every image for each direction, moved that way; zeros come in.

    One pixel in four directions makes 250,000 images of 50,000 (Nielsen, chapter 6).
    """

    example = "{type: shift, pixels: 1}"

    pixels: Annotated[PositiveInt, "how far"] = 1
    directions: Annotated[Annotated[tuple[Direction, ...], MinLen(1)], "one copy for each"] = tuple(STEPS)

    @property
    def number(self) -> int:
        """Copies of each example: one a direction."""
        return len(self.directions)

    @property
    def needs_images(self) -> bool:
        """True: pixels move."""
        return True

    def copy(
        self, which: int, inputs: NDArray[Any], targets: NDArray[Any], scale: float, seed: int, place: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Images moved in direction `which`, and their targets."""
        import numpy as np

        moved = np.zeros_like(inputs)
        to: list[slice] = [slice(None)]
        of: list[slice] = [slice(None)]
        for way, length in zip(STEPS[self.directions[which]], inputs.shape[1:3]):
            far = min(self.pixels, length) * way
            to.append(slice(max(0, far), length + min(0, far)))
            of.append(slice(max(0, -far), length + min(0, -far)))
        moved[tuple(to)] = inputs[tuple(of)]
        return moved, targets


@register("expansion", "augmented")
class AugmentedCopies(Expansion):
    """Copies of every example, each changed at random by the same augmentations."""

    example = "{type: augmented, augment: [{type: rotate, degrees: 10}], copies: 2}"

    # A copy's number is 16 bits of its stream's.
    copies: Annotated[Annotated[int, Gt(0), Le(1 << 16)], "of each example"] = 1
    augment: Annotated[Annotated[tuple[Augmentation, ...], MinLen(1)], "what is done to a copy, in this order"]

    @property
    def number(self) -> int:
        """Copies of each example: `copies`."""
        return self.copies

    @property
    def needs_images(self) -> bool:
        """True where one of its augmentations is for images alone."""
        return any(augmentation.images for augmentation in self.augment)

    @property
    def mixes(self) -> bool:
        """True where one of its augmentations changes targets."""
        return any(augmentation.mixes for augmentation in self.augment)

    def copy(
        self, which: int, inputs: NDArray[Any], targets: NDArray[Any], scale: float, seed: int, place: int
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Augmented copy `which` of the examples."""
        from nnctl.data.augment import Augmenter
        from nnctl.data.streams import Purpose

        # Copies of different expansions draw from different streams: their numbers do not meet.
        augmenter = Augmenter(self.augment, scale, seed, Purpose.EXPAND)
        return augmenter(inputs, targets, place << 16 | which, 0)
