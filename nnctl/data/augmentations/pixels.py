"""Augmentations of the values that stand in an input: noise, and what is covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Gt, Le

from nnctl.components.fields import PositiveInt
from nnctl.components.registry import register
from nnctl.data.augmentations.base import LARGEST, Fill, InputAugmentation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.streams import Draws


@register("augmentation", "noise")
class Noise(InputAugmentation):
    """Normal noise on every number. Images of bytes are rounded and kept within their range."""

    formula = "x' = x + ε, ε ~ N(0, std²)"
    example = "{type: noise, std: 0.05}"

    std: Annotated[Annotated[float, Gt(0), Le(LARGEST)], "standard deviation; for images in the unit range"] = 0.1

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Inputs with noise added."""
        import numpy as np

        changed = draws.normal(*inputs.shape[1:])
        changed *= np.float32(self.std)
        changed += inputs
        return changed


@register("augmentation", "cutout")
class Cutout(InputAugmentation):
    """A square covered, its middle on any pixel, so that at the edge less is lost (DeVries and Taylor 2017)."""

    formula = "x' = fill on a square of size × size pixels about a random one, else x"
    example = "{type: cutout, size: 6, probability: 0.5}"

    images: ClassVar[bool] = True

    size: Annotated[PositiveInt, "side of the square in pixels"]
    fill: Annotated[Fill, "what covers it, in the unit range"] = 0.0

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Images with a square covered."""
        import numpy as np

        middles = np.floor(draws.uniform(2) * inputs.shape[1:3]).astype(np.int64)
        first = middles - self.size // 2
        inside = [
            (np.arange(length) >= first[:, [axis]]) & (np.arange(length) < first[:, [axis]] + self.size)
            for axis, length in enumerate(inputs.shape[1:3])
        ]
        covered = inside[0][:, :, None] & inside[1][:, None, :]
        return np.where(covered[..., None], np.float32(self.fill), inputs)
