"""Base classes of augmentations of the inputs: a probability, and changes of the plane: maps and displacements."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Le

from nnctl.components.base import Augmentation
from nnctl.late import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.resample import Field
    from nnctl.data.streams import Draws


LARGEST = 1e30
"""The largest number that an augmentation brings in: what is computed of it is still within the range of float32."""
Fill = Annotated[float, Ge(-LARGEST), Le(LARGEST)]


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
class PlaneAugmentation(InputAugmentation):
    """A change of where the pixels of an image are taken from, by bilinear interpolation.

    Those in a row with one `fill` are one change: maps of the plane, and a displacement behind them. An image is then
    interpolated once, and not blurred by each.
    """

    images: ClassVar[bool] = True

    fill: Annotated[Fill, "what comes in from outside the image, in the unit range"] = 0.0


@dataclass(frozen=True, kw_only=True)
class AffineAugmentation(PlaneAugmentation):
    """A linear map of the image's plane about its middle, and a shift."""

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Maps (n, 3, 3) from a pixel (row, column, 1) of the new image to its place in the old, from the middle."""
        raise NotImplementedError

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Images under their maps."""
        from nnctl.data.resample import affine

        return affine(inputs, self.maps(draws, inputs.shape[1:]), self.fill)

    def drawn(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Maps of all examples, the identity for those that are spared."""
        import numpy as np

        maps = self.maps(draws, shape)
        if self.probability < 1.0:
            maps[draws.uniform() >= self.probability] = np.eye(3)
        return maps


@dataclass(frozen=True, kw_only=True)
class DisplacingAugmentation(PlaneAugmentation):
    """A smooth displacement of every pixel of its own."""

    def field(self, draws: Draws, shape: tuple[int, ...]) -> Field:
        """Displacements of all examples' pixels, of which none are spared."""
        raise NotImplementedError

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Images under their displacements."""
        from nnctl.data.resample import displaced

        return displaced(inputs, self.field(draws, inputs.shape[1:]), None, self.fill)

    def drawn(self, draws: Draws, shape: tuple[int, ...]) -> Field:
        """Displacements of all examples' pixels, none of those that are spared."""
        field = self.field(draws, shape)
        if self.probability < 1.0:
            return replace(field, spared=draws.uniform() >= self.probability)
        return field
