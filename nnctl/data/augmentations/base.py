"""Base classes of augmentations of the inputs: a probability, and changes that are maps of the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Gt, Le

from nnctl.components.base import Augmentation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.streams import Draws


@dataclass(frozen=True, kw_only=True)
class InputAugmentation(Augmentation):
    """A change of the inputs alone."""

    probability: Annotated[
        Annotated[float, Gt(0), Le(1)], "the share of the examples that are changed, drawn anew each epoch"
    ] = 1.0

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Changed inputs (n, *input_shape); the argument stays as it is."""
        raise NotImplementedError

    def apply(self, inputs: NDArray[np.float32], targets: Any, draws: Draws) -> tuple[NDArray[np.float32], Any]:
        """Inputs of which the share `probability` is changed, and targets as they are."""
        changed = self.change(inputs, draws)
        if self.probability < 1.0:
            spared = draws.uniform() >= self.probability
            changed[spared] = inputs[spared]
        return changed, targets


@dataclass(frozen=True, kw_only=True)
class AffineAugmentation(InputAugmentation):
    """A linear map of the image's plane about its middle, and a shift.

    Several in a row are one map, so that an image is interpolated once and not blurred by each.
    """

    images: ClassVar[bool] = True

    fill: Annotated[float, "what comes in from outside the image, in the unit range"] = 0.0

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Maps (n, 3, 3) from a pixel (row, column, 1) of the new image to its place in the old, from the middle."""
        raise NotImplementedError

    def drawn(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Maps of all examples, the identity for those that are spared."""
        import numpy as np

        maps = self.maps(draws, shape)
        if self.probability < 1.0:
            maps[draws.uniform() >= self.probability] = np.eye(3)
        return maps

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Images under their maps, by bilinear interpolation."""
        from nnctl.data.resample import affine

        return affine(inputs, self.maps(draws, inputs.shape[1:]), self.fill)
