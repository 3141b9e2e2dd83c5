"""Augmentations that move pixels: shifts, turns, slants, sizes, crops, mirrors, elastic distortions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen

from nnctl.components.fields import NonNegativeInt, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.augmentations.base import AffineAugmentation, DisplacingAugmentation, InputAugmentation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nnctl.data.resample import Field
    from nnctl.data.streams import Draws

Direction = Literal["up", "down", "left", "right"]
STEPS: dict[Direction, tuple[int, int]] = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
"""Directions in which the image moves, as (rows, columns)."""
Angle = Annotated[float, Gt(0), Le(180)]
Pixels = Annotated[float, Gt(0), Le(1e6)]
"""A length in the plane. No image is so wide as the bound, and places that numbers can hold come of it."""
Factor = Annotated[float, Ge(1e-6), Le(1e6)]
"""A change of size, of which the same is true."""


def identities(n: int) -> NDArray[np.float64]:
    """Identities (n, 3, 3)."""
    import numpy as np

    return np.tile(np.eye(3), (n, 1, 1))


@register("augmentation", "shift")
class Shift(AffineAugmentation):
    """Moved by whole pixels: each way by 0 to `pixels`, all shifts alike; or in one of `directions`, by `pixels`."""

    formula = "x'(r, c) = x(r − d_r, c − d_c)"
    example = "{type: shift, pixels: 2}"

    pixels: Annotated[PositiveInt, "how far at most; with directions, exactly"] = 1
    directions: Annotated[
        Annotated[tuple[Direction, ...], MinLen(1)] | None, "draw one of these; any shift up to `pixels` if absent"
    ] = None

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Shifts (n, 3, 3) by whole pixels."""
        import numpy as np

        maps = identities(draws.count)
        if self.directions is None:
            maps[:, :2, 2] = self.pixels - np.floor(draws.uniform(2) * (2 * self.pixels + 1))
        else:
            steps = np.array([STEPS[direction] for direction in self.directions])
            maps[:, :2, 2] = -self.pixels * steps[(draws.uniform() * len(steps)).astype(np.int64)]
        return maps


@register("augmentation", "rotate")
class Rotate(AffineAugmentation):
    """Turned about the middle by a uniform angle."""

    formula = "angle ~ U(−degrees, degrees)"
    example = "{type: rotate, degrees: 10}"

    degrees: Annotated[Angle, "the largest angle, either way"] = 10.0

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Rotations (n, 3, 3)."""
        import numpy as np

        angle = np.radians(self.degrees) * (2.0 * draws.uniform() - 1.0)
        maps = identities(draws.count)
        maps[:, 0, 0] = maps[:, 1, 1] = np.cos(angle)
        maps[:, 0, 1] = np.sin(angle)
        maps[:, 1, 0] = -np.sin(angle)
        return maps


@register("augmentation", "shear")
class Shear(AffineAugmentation):
    """Slanted: rows slide sideways in proportion to their height over the middle."""

    formula = "x'(r, c) = x(r, c + r·tan angle), angle ~ U(−degrees, degrees)"
    example = "{type: shear, degrees: 10}"

    degrees: Annotated[Annotated[float, Gt(0), Lt(90)], "the largest slant of a vertical line, either way"] = 10.0

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Shears (n, 3, 3) of the rows."""
        import numpy as np

        maps = identities(draws.count)
        maps[:, 1, 0] = np.tan(np.radians(self.degrees) * (2.0 * draws.uniform() - 1.0))
        return maps


@register("augmentation", "scale")
class Scale(AffineAugmentation):
    """Made larger or smaller about the middle, by a factor uniform in its logarithm."""

    formula = "ln factor ~ U(ln low, ln high)"
    example = "{type: scale, low: 0.9, high: 1.1}"

    low: Annotated[Factor, "the least factor"] = 0.9
    high: Annotated[Factor, "the greatest"] = 1.1

    def problems(self) -> Sequence[Problem]:
        """Bounds that are not in order."""
        if self.low < self.high:
            return ()
        return (Problem("low", f"low is {self.low:g} and high is {self.high:g}", "low must be below high"),)

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Scalings (n, 3, 3)."""
        import numpy as np

        maps = identities(draws.count)
        factor = self.low * (self.high / self.low) ** draws.uniform()
        maps[:, 0, 0] = maps[:, 1, 1] = np.reciprocal(factor)
        return maps


@register("augmentation", "random_crop")
class RandomCrop(AffineAugmentation):
    """A random window of the image, which is first padded all around, stretched to the image's size.

    With `least` 1 the window has the image's size and nothing is interpolated.
    """

    formula = "x' = a window of the padded x, its sides s·height and s·width, s ~ U(least, 1)"
    example = "{type: random_crop, padding: 2}"

    padding: Annotated[NonNegativeInt, "pixels of `fill` around the image"] = 0
    least: Annotated[
        Annotated[float, Gt(0), Le(1)], "the smallest window's sides as a share of the image's, uniform up to 1"
    ] = 1.0

    def problems(self) -> Sequence[Problem]:
        """A window of the image's size without padding: it is the image."""
        if self.padding or self.least < 1.0:
            return ()
        return (Problem("least", "this crop is the image itself", "give it padding, or a window with least below 1"),)

    def maps(self, draws: Draws, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Maps (n, 3, 3) of the image to random windows of it."""
        import numpy as np

        size, *place = draws.uniform(3).T
        share = self.least + (1.0 - self.least) * size
        maps = identities(draws.count)
        maps[:, 0, 0] = maps[:, 1, 1] = share
        for axis, (length, u) in enumerate(zip(shape[:2], place)):
            if self.least == 1.0:
                maps[:, axis, 2] = np.floor(u * (2 * self.padding + 1)) - self.padding
            else:
                # The window's middle stays half a window away from the padded edges.
                reach = (1.0 - share) * (length - 1) / 2 + self.padding
                maps[:, axis, 2] = (2.0 * u - 1.0) * reach
        return maps


@register("augmentation", "flip")
class Flip(InputAugmentation):
    """Mirrored, half of the examples unless `probability` says otherwise."""

    formula = "x'[i, j] = x[i, width − 1 − j], or x[height − 1 − i, j]"
    example = "{type: flip, axis: horizontal}"

    images: ClassVar[bool] = True

    axis: Annotated[Literal["horizontal", "vertical"], "left and right exchanged, or top and bottom"] = "horizontal"
    probability: Annotated[Annotated[float, Gt(0), Le(1)], "the share of the examples that are mirrored"] = 0.5

    def change(self, inputs: NDArray[np.float32], draws: Draws) -> NDArray[np.float32]:
        """Mirror images of the inputs."""
        return (inputs[:, :, ::-1] if self.axis == "horizontal" else inputs[:, ::-1]).copy()


@register("augmentation", "elastic")
class Elastic(DisplacingAugmentation):
    """Pixels displaced by a smooth random field, as muscles displace a pen (Simard, Steinkraus and Platt 2003).

    Each pixel's displacement, uniform on [−1, 1] in both directions, is smoothed by a
    Gaussian of deviation `sigma` and multiplied by `alpha`; 4 and 34 for 28×28 digits there.
    """

    formula = "x'(p) = x(p + α·(G_σ * u)(p)), u ~ U(−1, 1)²"
    example = "{type: elastic, alpha: 34, sigma: 4, probability: 0.5}"

    alpha: Annotated[Pixels, "α, the strength in pixels before smoothing"] = 34.0
    sigma: Annotated[Pixels, "σ of the Gaussian, in pixels; larger is smoother and weaker"] = 4.0

    def field(self, draws: Draws, shape: tuple[int, ...]) -> Field:
        """Smooth random fields."""
        import numpy as np

        from nnctl.data.resample import Field

        spared = np.zeros(draws.count, np.bool_)
        return Field(draws.quarters(2, *shape[:2]), self.alpha, self.sigma, spared)
