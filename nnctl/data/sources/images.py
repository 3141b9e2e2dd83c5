"""Folders of images, one sub-folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nnctl.components.fields import NonEmptyStr, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.data.limits import PIXELS
from nnctl.data.source import Description, Examples, Source


@register("data", "images")
class Images(Source):
    """A folder with a sub-folder of image files for each class; classes in alphabetical order.

    PNG, JPEG, BMP, GIF (its first picture), PPM, TIFF and WebP, of at most 64 Mi pixels. Files of other
    kinds and hidden ones are passed over. Inputs are uint8 (height, width, 3 or 1), scaled by 1/255.
    """

    example = "{type: images, path: photos, size: [32, 32], validation: 0.2}"
    of_files = ("/",)

    path: Annotated[NonEmptyStr, "the folder, relative to the spec"]
    size: Annotated[
        tuple[PositiveInt, PositiveInt] | None, "[height, width] to resize to; all images have one size if absent"
    ] = None
    grayscale: Annotated[bool, "one channel (luma) instead of red, green, blue"] = False

    def problems(self) -> Sequence[Problem]:
        """A size beyond any picture's."""
        if self.size is None or self.size[0] * self.size[1] <= PIXELS:
            return ()
        return (Problem("size", f"{self.size[0]}×{self.size[1]} is more than the {PIXELS:,} pixels of a picture"),)

    def describe(self, folder: Path) -> Description:
        """The description, from the folders' names, and the first image's size where `size` is absent."""
        return self._description(self._files(folder))

    def read(self, folder: Path, seed: int) -> Examples:
        """All images, in the order of their classes and names."""
        from nnctl.data.formats.images import read_images

        files = self._files(folder)
        description = self._description(files)
        inputs, labels = read_images(files, description.input_shape, self.size, self.grayscale)
        return Examples(description, inputs, labels)

    def where(self, folder: Path) -> str:
        """The folder."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))

    def _files(self, folder: Path) -> dict[str, list[Path]]:
        from nnctl.data.formats.images import find_images
        from nnctl.data.paths import existing_folder

        return find_images(existing_folder(self.path, folder))

    def _description(self, files: dict[str, list[Path]]) -> Description:
        from nnctl.data.formats.images import read_image

        first = next(iter(files.values()))[0]
        height, width = self.size or read_image(first, None, self.grayscale).shape[:2]
        return Description(
            input_shape=(height, width, 1 if self.grayscale else 3),
            input_dtype="uint8",
            classes=tuple(files),
            scale=1 / 255,
            examples=sum(map(len, files.values())),
        )
