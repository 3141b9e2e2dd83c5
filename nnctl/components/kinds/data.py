"""Kinds that say what a net is trained on: sources of examples, and changes of these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from nnctl.components.kinds.formulas import Array
from nnctl.components.registry import Component
from nnctl.components.signature import DataSignature


class DataSource(Component):
    """A source of examples."""

    kind: ClassVar[str] = "data"
    of_files: ClassVar[tuple[str, ...]] = ()
    """Endings of the names of files that it reads at its `path`."""

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits there will be: "train", then "validation" and "test" where they exist."""
        return ("train",)

    def splits_in(self, folder: Path) -> tuple[str, ...]:
        """Names of the splits there will be, or may be where they cannot be looked for.

        `folder`: what paths are relative to, for data whose files say how it is split.
        """
        return self.splits

    @property
    def contiguous(self) -> bool:
        """True where row b of each batch goes on where row b of the batch before ended, so that recurrent state fits.

        Such data is read in its own order, in whole batches; what does not fill one is left out.
        """
        return False

    @property
    def predicts_next(self) -> bool:
        """True where the target of each step is the input of the step after it."""
        return False

    @property
    def fills_up(self) -> bool:
        """True where examples are sequences of unequal length, filled up behind their end, for the layer `mask`."""
        return False

    @property
    def ordered(self) -> bool:
        """True where each split is one piece of the data, in its own order."""
        return True

    @property
    def augmentations(self) -> tuple[Augmentation, ...]:
        """Random changes of the training examples, in the order in which they are made."""
        return ()

    def with_amounts(self) -> Self:
        """The same source where what may be classes or amounts are amounts; itself where it knows or was told."""
        return self

    def without_subset(self) -> Self | None:
        """The same source with the training examples that it leaves out; None where it leaves out none."""
        return None

    def tokens_of(self, text: str) -> Sequence[str] | None:
        """A text cut into what the net reads one by one; None where the data is no text."""
        return None

    def signature(self, folder: Path, seed: int = 0) -> DataSignature:
        """Shapes and kinds, without a download; `folder` is what paths are relative to, `seed` the spec's.

        Raises DataError where a file has to be looked at and is missing or broken.
        """
        raise NotImplementedError


class Transform(Component):
    """A rescaling of the inputs by statistics of the training set."""

    kind: ClassVar[str] = "transform"

    @property
    def per_feature(self) -> bool:
        """True where shift and scale have the shape of one input, False where it is ()."""
        raise NotImplementedError

    def affine(self, statistics: Any) -> tuple[Any, Any]:
        """(shift, scale) in x ← (x − shift)·scale, from the training inputs' `nnctl.data.statistics.Statistics`."""
        raise NotImplementedError


class Augmentation(Component):
    """A random change of training examples that leaves them what they are, drawn anew each epoch.

    Inputs are float32 in the units of the unit range (a grey level of 255 is 1).
    `images`: it moves or covers pixels, and so needs inputs (height, width, channels).
    `mixes`: it changes targets too, and has no part in test-time augmentation.
    """

    kind: ClassVar[str] = "augmentation"
    images: ClassVar[bool] = False
    mixes: ClassVar[bool] = False

    def apply(self, inputs: Array, targets: Array, draws: Any) -> tuple[Array, Array]:
        """(inputs (n, *input_shape), targets (n, …)) changed; the arguments stay as they are.

        draws: `nnctl.data.streams.Draws` for these n examples.
        """
        raise NotImplementedError


class Expansion(Component):
    """Changed copies of the training examples, made once, that train beside them."""

    kind: ClassVar[str] = "expansion"

    @property
    def number(self) -> int:
        """Number of copies of each example that it adds."""
        raise NotImplementedError

    @property
    def needs_images(self) -> bool:
        """True where inputs must be (height, width, channels)."""
        raise NotImplementedError

    @property
    def mixes(self) -> bool:
        """True where a copy's targets are not those of its original."""
        return False

    def copy(self, which: int, inputs: Array, targets: Array, scale: float, seed: int, place: int) -> Any:
        """(inputs, targets) of copy `which`, from 0, stored as the originals are.

        scale: brings stored inputs to the unit range. place: of the component in its list.
        """
        raise NotImplementedError
