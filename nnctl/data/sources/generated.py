"""Small sets made on the spot, each a pure function of the seed.

Inputs are float32 (n, features). Where points have classes, example i is of
class i mod k, so that every class has its share.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from nnctl.components.fields import NonNegativeFloat, PositiveFloat, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.examples import Description, Examples
from nnctl.data.limits import CLASSES
from nnctl.data.source import IgnoringSource
from nnctl.errors import DataError
from nnctl.late import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Points = tuple[NDArray[Any], NDArray[Any]]


MOST_NUMBERS = 10**8
"""In a generated set: 0.8 GB in float64, and a few times that while it is made."""


@dataclass(frozen=True, kw_only=True)
class GeneratedSource(IgnoringSource):
    """Examples from a formula."""

    @property
    def numbers(self) -> int:
        """The number of numbers that making it takes, as its fields say: of inputs and targets at least."""
        description = self.describe(Path())
        each = math.prod(description.input_shape) + math.prod(description.target_shape)
        return (description.examples or 0) * each

    def problems(self) -> list[Problem]:
        """More numbers than are made in memory."""
        if self.numbers <= MOST_NUMBERS:
            return []
        message = f"this {self.type} data has {self.numbers:,} numbers, and at most {MOST_NUMBERS:,} are made"
        return [Problem("examples", message, "ask for fewer examples, or smaller ones")]

    def make(self, rng: np.random.Generator) -> Points:
        """Points: (inputs (n, features), targets: labels (n,) or values (n, k))."""
        raise NotImplementedError

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs float32, or int64 where they are indices; labels int64 or values float32."""
        import numpy as np

        from nnctl.data.streams import Purpose, generator

        # What overflows on the way is told below, in words.
        with np.errstate(over="ignore", invalid="ignore"):
            inputs, targets = self.make(generator(seed, Purpose.GENERATE))
        description = self.describe(folder)
        stored_inputs = inputs.astype(np.int64) if description.input_dtype == "index" else self._single(inputs)
        stored_targets = self._single(targets) if description.classes is None else targets.astype(np.int64)
        return Examples(description, stored_inputs, stored_targets)

    def _single(self, values: NDArray[Any]) -> NDArray[np.float32]:
        import numpy as np

        from nnctl.data.formats.precision import as_float32

        what = f"what {self.type} makes"
        single = as_float32(values, what)
        if not np.isfinite(single).all():
            raise DataError(f"{what} is no finite number: a field of it is too large")
        return single

    def where(self, folder: Path) -> str:
        """The word "generated": there is no file."""
        return "generated"


def _labelled(features: int, classes: int, examples: int) -> Description:
    return Description((features,), classes=tuple(map(str, range(classes))), examples=examples)


@register("data", "xor")
class Xor(GeneratedSource):
    """Exclusive or: the corners (0,0), (0,1), (1,0), (1,1) in turn, class 1 where the coordinates differ."""

    formula = "y = x₁ ⊕ x₂"
    example = "{type: xor, examples: 200, noise: 0.1}"

    examples: Annotated[PositiveInt, "how many; 4 is the truth table"] = 4
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on each coordinate"] = 0.0

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _labelled(2, 2, self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """Corner i mod 4."""
        import numpy as np

        corner = np.arange(self.examples) % 4
        bits = np.stack([corner // 2, corner % 2], axis=1)
        return bits + self.noise * rng.standard_normal(bits.shape), bits[:, 0] ^ bits[:, 1]


@register("data", "parity")
class Parity(GeneratedSource):
    """Is the number of ones odd? Every word of `bits` bits, or random ones where `examples` is given."""

    formula = "y = Σ_i x_i mod 2"
    example = "{type: parity, bits: 4}"

    bits: Annotated[int, Ge(1), Le(20), "length of a word"] = 4
    examples: Annotated[PositiveInt | None, "random words; all 2^bits of them, in order, if absent"] = None

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _labelled(self.bits, 2, self.examples or 2**self.bits)

    def make(self, rng: np.random.Generator) -> Points:
        """Word i is i in binary, the highest bit first."""
        import numpy as np

        words = np.arange(2**self.bits) if self.examples is None else rng.integers(0, 2**self.bits, self.examples)
        bits = words[:, None] >> np.arange(self.bits)[::-1] & 1
        return bits, bits.sum(axis=1) % 2


@register("data", "blobs")
class Blobs(GeneratedSource):
    """Round clouds of normal points, one a class, about centres uniform in [−spread, spread]^features."""

    formula = "x = c_y + noise·ε, c ~ U(−spread, spread), ε ~ N(0, 1)"
    example = "{type: blobs, centers: 3, examples: 300, validation: 60}"

    examples: Annotated[PositiveInt, "how many points in all"] = 300
    centers: Annotated[int, Ge(2), Le(CLASSES), "how many clouds"] = 3
    features: Annotated[PositiveInt, "coordinates of a point"] = 2
    noise: Annotated[NonNegativeFloat, "standard deviation of a cloud"] = 1.0
    spread: Annotated[PositiveFloat, "the largest coordinate of a centre"] = 10.0

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _labelled(self.features, self.centers, self.examples)

    @property
    def numbers(self) -> int:
        """Those of the points and of the centres."""
        return super().numbers + self.centers * self.features

    def make(self, rng: np.random.Generator) -> Points:
        """A centre plus noise."""
        import numpy as np

        centers = rng.uniform(-self.spread, self.spread, (self.centers, self.features))
        labels = np.arange(self.examples) % self.centers
        return centers[labels] + self.noise * rng.standard_normal((self.examples, self.features)), labels


@register("data", "spirals")
class Spirals(GeneratedSource):
    """Arms that wind around each other from the middle to radius 1, one a class."""

    formula = "x = t·(cos θ, sin θ) + noise·ε, θ = 2π(turns·t + y/arms), 0 < t ≤ 1, ε ~ N(0, 1)"
    example = "{type: spirals, arms: 2, turns: 1.5, validation: 0.2}"

    examples: Annotated[PositiveInt, "how many points in all"] = 400
    arms: Annotated[int, Ge(2), Le(CLASSES), "how many spirals"] = 2
    turns: Annotated[PositiveFloat, "how often an arm winds around"] = 1.5
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on each coordinate"] = 0.02

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _labelled(2, self.arms, self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """Radius t and angle 2π(turns·t + arm/arms), t evenly spaced along each arm."""
        import numpy as np

        index = np.arange(self.examples)
        labels = index % self.arms
        t = (index // self.arms + 1) / -(-self.examples // self.arms)
        angle = 2 * np.pi * (self.turns * t + labels / self.arms)
        points = np.stack([t * np.cos(angle), t * np.sin(angle)], axis=1)
        return points + self.noise * rng.standard_normal(points.shape), labels


@register("data", "moons")
class Moons(GeneratedSource):
    """Two half circles of radius 1 that reach into each other."""

    formula = "x = (cos θ, sin θ) or (1 − cos θ, ½ − sin θ), + noise·ε, 0 ≤ θ ≤ π, ε ~ N(0, 1)"
    example = "{type: moons, examples: 400, noise: 0.1, validation: 100}"

    examples: Annotated[PositiveInt, "how many points in all"] = 400
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on each coordinate"] = 0.1

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _labelled(2, 2, self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """(cos θ, sin θ) and (1 − cos θ, ½ − sin θ), θ evenly spaced on [0, π]."""
        import numpy as np

        index = np.arange(self.examples)
        labels = index % 2
        angle = np.pi * (index // 2) / max(1, (self.examples - 1) // 2)
        upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        points = np.where(labels[:, None] == 0, upper, np.array([1.0, 0.5]) - upper)
        return points + self.noise * rng.standard_normal(points.shape), labels


@register("data", "circles")
class Circles(GeneratedSource):
    """A circle of radius 1 (class 0) around a smaller one (class 1)."""

    formula = "x = r·(cos θ, sin θ) + noise·ε, r = 1 or factor, ε ~ N(0, 1)"
    example = "{type: circles, examples: 400, validation: 100}"

    examples: Annotated[PositiveInt, "how many points in all"] = 400
    factor: Annotated[float, Gt(0), Lt(1), "radius of the inner circle"] = 0.5
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on each coordinate"] = 0.05

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return _labelled(2, 2, self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """Angles evenly spaced on each circle."""
        import numpy as np

        index = np.arange(self.examples)
        labels = index % 2
        angle = 2 * np.pi * (index // 2) / -(-self.examples // 2)
        radius = np.where(labels == 0, 1.0, self.factor)
        points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return points + self.noise * rng.standard_normal(points.shape), labels


@register("data", "sine")
class Sine(GeneratedSource):
    """Regression: a sine over x from −1 to 1."""

    formula = "y = sin(2π·frequency·x) + noise·ε, x ~ U(−1, 1), ε ~ N(0, 1)"
    example = "{type: sine, examples: 200, noise: 0.05, validation: 40}"

    examples: Annotated[PositiveInt, "how many points"] = 200
    frequency: Annotated[PositiveFloat, "waves per unit of x"] = 1.0
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on y"] = 0.0

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return Description((1,), target_shape=(1,), examples=self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """x and y, each (n, 1)."""
        import numpy as np

        x = rng.uniform(-1.0, 1.0, (self.examples, 1))
        return x, np.sin(2 * np.pi * self.frequency * x) + self.noise * rng.standard_normal(x.shape)
