"""IDX files of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from nnctl.components.fields import NonEmptyStr
from nnctl.components.registry import Problem, register
from nnctl.data.examples import Description, Examples
from nnctl.data.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray


@register("data", "idx")
class Idx(Source):
    """IDX files, those of MNIST's format: inputs in one and targets in another, and perhaps a test set; plain or gzip.

    Numbers of any of the format's types, arrays of any number of axes, the first one the examples; of three axes
    they are pictures of one channel (height, width, 1). Bytes stay uint8 and are scaled by 1/255, other numbers become
    float32. Integer targets are labels, others values, unless `target_type` says otherwise.
    """

    seeded = False
    example = "{type: idx, images: letters-images-idx3-ubyte.gz, labels: letters-labels-idx1-ubyte.gz, validation: 0.1}"
    undecided_targets = True

    images: Annotated[NonEmptyStr, "the file of inputs, relative to the spec"]
    labels: Annotated[NonEmptyStr, "the file of targets, relative to the spec"]
    test_images: Annotated[NonEmptyStr | None, "the file of test inputs"] = None
    test_labels: Annotated[NonEmptyStr | None, "the file of test targets"] = None

    def problems(self) -> Sequence[Problem]:
        """A test set without one of its two files."""
        if (self.test_images is None) == (self.test_labels is None):
            return ()
        given, lacking = ("test_images", "test_labels") if self.test_labels is None else ("test_labels", "test_images")
        return (Problem(given, f"{given} without {lacking}", "a test set needs both"),)

    @property
    def own_test_set(self) -> bool:
        """True where its files are named."""
        return self.test_images is not None

    def describe(self, folder: Path) -> Description:
        """Shapes from the files' headers; targets are read, to know the classes."""
        from nnctl.data.formats.array_examples import describe

        arrays = self._arrays(folder, outline=True)
        return _scaled(describe(arrays, indices=False, target_type=self.target_type, path=self.images))

    def read(self, folder: Path, seed: int) -> Examples:
        """Inputs uint8 or float32."""
        from nnctl.data.formats.array_examples import assemble

        arrays = self._arrays(folder, outline=False)
        examples = assemble(arrays, indices=False, target_type=self.target_type, path=self.images)
        return replace(examples, description=_scaled(examples.description))

    def where(self, folder: Path) -> str:
        """The file of inputs."""
        from nnctl.data.paths import resolve

        return str(resolve(self.images, folder))

    def _arrays(self, folder: Path, *, outline: bool) -> dict[str, NDArray[Any]]:
        """Arrays by role; outline: of the inputs, shape and type are enough. Raises DataError."""
        from nnctl.data.formats.idx import read_idx
        from nnctl.data.paths import existing_file

        names = {"inputs": self.images, "targets": self.labels}
        if self.test_images is not None and self.test_labels is not None:
            names |= {"test_inputs": self.test_images, "test_targets": self.test_labels}
        arrays = {}
        for role, name in names.items():
            inputs = role.endswith("inputs")
            array = read_idx(existing_file(name, folder), outline=outline and inputs)
            arrays[role] = array[..., None] if inputs and array.ndim == 3 else array
        return arrays


def _scaled(description: Description) -> Description:
    """The description, bytes brought to the range from 0 to 1, as those of other pictures are."""
    return replace(description, scale=1 / 255) if description.input_dtype == "uint8" else description
