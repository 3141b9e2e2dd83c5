"""The handwritten digits that travel with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from nnctl.components.registry import register
from nnctl.data.examples import Description, Examples
from nnctl.data.source import Portion, Source

_FILE = Path(__file__).parents[1] / "files" / "digits.npz"


@register("data", "digits")
class Digits(Source):
    """1,797 handwritten digits, 8×8 grey pixels; no download.

    Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), CC BY 4.0.
    """

    seeded = False
    example = "{type: digits, validation: 200, test: 360}"

    validation: Annotated[Portion | None, "examples held out for validation, a number or a share"] = 0.15
    test: Annotated[Portion | None, "examples held out for the test, a number or a share"] = 0.15

    description: ClassVar[Description] = Description(
        input_shape=(8, 8, 1),
        input_dtype="uint8",
        classes=tuple("0123456789"),
        scale=1 / 16,
        examples=1797,
    )

    def describe(self, folder: Path) -> Description:
        """The description, known without reading."""
        return self.description

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs uint8 (1797, 8, 8, 1) from 0 to 16."""
        import numpy as np

        with np.load(_FILE, allow_pickle=False) as archive:
            return Examples(self.description, archive["images"], archive["labels"].astype(np.int64))

    def where(self, folder: Path) -> str:
        """The package: nothing is downloaded."""
        return "part of nnctl"
