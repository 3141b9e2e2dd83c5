"""Small sets of sequences that ask for a memory, each a pure function of the seed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from nnctl.components.fields import NonNegativeFloat, PositiveFloat, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.examples import Description
from nnctl.data.limits import CLASSES
from nnctl.data.sources.generated import GeneratedSource

if TYPE_CHECKING:
    import numpy as np

    from nnctl.data.sources.generated import Points


@register("data", "adding")
class Adding(GeneratedSource):
    """The adding problem (Hochreiter & Schmidhuber 1997): the sum of the two marked numbers of a sequence.

    A step is (number uniform on [0, 1], mark 0 or 1); one mark lies in each half. Answering
    1 always has a mean squared error of 1/6.
    """

    example = "{type: adding, examples: 2000, length: 20, validation: 200}"

    examples: Annotated[PositiveInt, "how many sequences"] = 1000
    length: Annotated[int, Ge(2), "steps of a sequence"] = 50

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return Description((self.length, 2), target_shape=(1,), examples=self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """Inputs (n, length, 2), sums (n, 1)."""
        import numpy as np

        numbers = rng.uniform(0.0, 1.0, (self.examples, self.length))
        half = self.length // 2
        marks = np.zeros_like(numbers)
        rows = np.arange(self.examples)
        marks[rows, rng.integers(0, half, self.examples)] = 1.0
        marks[rows, rng.integers(half, self.length, self.examples)] = 1.0
        return np.stack([numbers, marks], axis=2), np.sum(numbers * marks, axis=1, keepdims=True)


@register("data", "copy_memory")
class CopyMemory(GeneratedSource):
    """Repeat some symbols after a long pause (Hochreiter & Schmidhuber 1997; Arjovsky, Shah & Bengio 2016).

    `copied` symbols, `delay` blanks, of which the last is the signal to begin, and as many
    blanks as symbols. The label of each step is a blank, and at the end the symbols again.
    """

    example = "{type: copy_memory, examples: 1000, delay: 10, validation: 0.1}"

    examples: Annotated[PositiveInt, "how many sequences"] = 1000
    symbols: Annotated[int, Ge(1), Le(CLASSES), "how many different symbols"] = 8
    copied: Annotated[PositiveInt, "how many symbols are to be kept"] = 5
    delay: Annotated[PositiveInt, "steps between the last symbol and the first answer"] = 20

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        length = 2 * self.copied + self.delay
        symbols = ("blank", *map(str, range(1, self.symbols + 1)))
        return Description(
            (length,), "index", classes=symbols, target_shape=(length,), examples=self.examples,
            vocabulary=(*symbols, "signal"),
        )  # fmt: skip

    def make(self, rng: np.random.Generator) -> Points:
        """Indices (n, 2·copied + delay) and labels of the same shape."""
        import numpy as np

        symbols = rng.integers(1, self.symbols + 1, (self.examples, self.copied))
        inputs = np.zeros((self.examples, 2 * self.copied + self.delay), np.int64)
        labels = np.zeros_like(inputs)
        inputs[:, : self.copied] = symbols
        inputs[:, self.copied + self.delay - 1] = self.symbols + 1
        labels[:, -self.copied :] = symbols
        return inputs, labels


@register("data", "sine_sequence")
class SineSequence(GeneratedSource):
    """Waves of random phase and frequency; the target of each step is the value after it."""

    example = "{type: sine_sequence, examples: 200, length: 30, validation: 40}"

    examples: Annotated[PositiveInt, "how many sequences"] = 200
    length: Annotated[PositiveInt, "steps of a sequence"] = 50
    slowest: Annotated[PositiveFloat, "least frequency, in waves a step"] = 0.02
    fastest: Annotated[PositiveFloat, "largest frequency, in waves a step"] = 0.1
    noise: Annotated[NonNegativeFloat, "standard deviation of the noise on the inputs"] = 0.0

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        shape = (self.length, 1)
        return Description(shape, target_shape=shape, examples=self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """Values at 0…length−1 and at 1…length, each (n, length, 1)."""
        import numpy as np

        frequency = rng.uniform(self.slowest, self.fastest, (self.examples, 1))
        phase = rng.uniform(0.0, 1.0, (self.examples, 1))
        wave = np.sin(2 * np.pi * (frequency * np.arange(self.length + 1) + phase))[:, :, None]
        return wave[:, :-1] + self.noise * rng.standard_normal((self.examples, self.length, 1)), wave[:, 1:]

    def problems(self) -> list[Problem]:
        """Bounds that are not in order."""
        problems = super().problems()
        if self.slowest <= self.fastest:
            return problems
        return [
            *problems,
            Problem(
                "slowest", f"slowest is {self.slowest:g} and fastest is {self.fastest:g}", "slowest is the smaller"
            ),
        ]


@register("data", "parity_sequence")
class ParitySequence(GeneratedSource):
    """Random bits one after the other: is the number of ones so far odd? No net without a memory knows.

    With `shortest` the sequences have random lengths and are filled up with −1, for the layer `mask`.
    """

    example = "{type: parity_sequence, examples: 500, length: 10, validation: 0.2}"

    examples: Annotated[PositiveInt, "how many sequences"] = 1000
    length: Annotated[PositiveInt, "steps of a sequence, of the longest"] = 10
    shortest: Annotated[PositiveInt | None, "steps of the shortest; all have `length` if absent"] = None
    every_step: Annotated[bool, "a label a step, of the bits so far; false: one, of all bits"] = False

    @property
    def fills_up(self) -> bool:
        """True where lengths are random."""
        return self.shortest is not None

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        target_shape = (self.length,) if self.every_step else ()
        return Description((self.length, 1), classes=("0", "1"), target_shape=target_shape, examples=self.examples)

    def make(self, rng: np.random.Generator) -> Points:
        """Bits (n, length, 1), and labels (n,) or (n, length)."""
        import numpy as np

        bits = rng.integers(0, 2, (self.examples, self.length))
        lengths = rng.integers(self.shortest or self.length, self.length + 1, self.examples)
        filled = np.arange(self.length) >= lengths[:, None]
        odd = np.cumsum(np.where(filled, 0, bits), axis=1) % 2
        inputs = np.where(filled, -1.0, bits)[:, :, None]
        return inputs, odd if self.every_step else odd[:, -1]

    def problems(self) -> list[Problem]:
        """A shortest length above the longest."""
        problems = super().problems()
        if self.shortest is None or self.shortest <= self.length:
            return problems
        return [
            *problems,
            Problem("shortest", f"shortest is {self.shortest} and length is {self.length}", "shortest is the smaller"),
        ]
