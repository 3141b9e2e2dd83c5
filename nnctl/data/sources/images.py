"""Folders of images, one sub-folder a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from annotated_types import Ge, Le

from nnctl.components.fields import NonEmptyStr, PositiveInt
from nnctl.components.registry import Problem, register
from nnctl.components.signature import DataSignature
from nnctl.data.examples import Description, Examples, SplitHints
from nnctl.data.limits import PIXELS
from nnctl.data.pictures import Bits, PictureOptions
from nnctl.data.source import SPLITS, InMemory, Source
from nnctl.errors import DataError

if TYPE_CHECKING:
    from nnctl.data.formats.image_folders import PictureFolder

Level = Annotated[int, Ge(0), Le(255)]
_GREY = {"black": 0, "white": 255}


@register("data", "images")
class Images(Source):
    """A folder with a sub-folder of image files for each class; classes in alphabetical order.

    Above these there may be train/, validation/ (also valid/ or val/) and test/, which are taken as the splits.

    PNG, JPEG, BMP, GIF, PPM, TIFF and WebP, of at most 64 Mi pixels, turned as their EXIF orientation says. Hidden
    files and those of other kinds are left out, and counted. Inputs are uint8 (height, width, 3 or 1), scaled by
    1/255; of pictures with 16 bits a channel, float32 from 0 to 1.
    """

    seeded = False
    example = "{type: images, path: photos, size: [32, 32], validation: 0.2}"
    of_files = ("/",)

    path: Annotated[NonEmptyStr, "the folder, relative to the spec"]
    size: Annotated[
        tuple[PositiveInt, PositiveInt] | None, "[height, width] to resize to; all images have one size if absent"
    ] = None
    grayscale: Annotated[bool, "one channel (luma) instead of red, green, blue"] = False
    background: Annotated[
        Literal["white", "black"] | Level | tuple[Level, Level, Level] | None,
        "what lies behind transparent images: white, black, a grey level from 0 to 255, or [red, green, blue]; "
        "none may be transparent if absent",
    ] = None
    bits: Annotated[
        Bits | None, "of a channel, 8 or 16, to which images are brought; all have the first one's if absent"
    ] = None
    frames: Annotated[
        Literal["first"] | None,
        "take the first of several pictures in a file; a file with several is refused if absent",
    ] = None
    in_memory: InMemory = None
    nested: Annotated[bool, "read the folders within a class's folder, too; they are refused otherwise"] = False

    def problems(self) -> Sequence[Problem]:
        """A size beyond any picture's."""
        if self.size is None or self.size[0] * self.size[1] <= PIXELS:
            return ()
        return (Problem("size", f"{self.size[0]}×{self.size[1]} is more than the {PIXELS:,} pixels of a picture"),)

    @property
    def picture_options(self) -> PictureOptions:
        """The fields that say how a picture is read."""
        ground = _GREY[self.background] if isinstance(self.background, str) else self.background
        return PictureOptions(
            size=self.size,
            grayscale=self.grayscale,
            background=(ground, ground, ground) if isinstance(ground, int) else ground,
            bits=self.bits,
            first=self.frames == "first",
            nested=self.nested,
        )

    def describe(self, folder: Path) -> Description:
        """The description, from the folders' names, and the first image."""
        return self._description(self._found(folder))

    def read(self, folder: Path, seed: int) -> Examples:
        """All images, in the order of splits, classes and names."""
        import numpy as np

        from nnctl.data.formats.images import read_images
        from nnctl.data.paths import resolve

        found = self._found(folder)
        files, labels, splits = found.listed
        return Examples(
            self._description(found),
            read_images(files, self.picture_options, self.in_memory, resolve(self.path, folder)),
            np.array(labels, dtype=np.int64),
            hints=SplitHints(assigned=np.array(splits, dtype=np.int8)),
            advice=found.left_out.sentences,
        )

    def splits_in(self, folder: Path) -> tuple[str, ...]:
        """Names of the splits, those of folders included; all where the folder cannot be looked into."""
        from nnctl.data.formats.image_folders import split_folders
        from nnctl.data.paths import existing_folder

        try:
            own = split_folders(existing_folder(self.path, folder))
        except DataError:
            return SPLITS
        return tuple(name for name in SPLITS if name in self.splits or (name in own and self._wants(name)))

    def _wants(self, split: str) -> bool:
        """False where the spec says that there is to be no such split."""
        return split == "train" or getattr(self, split) != 0

    def elsewhere(self, path: Path, signature: DataSignature, fitted: Mapping[str, Any]) -> Self:
        """Another folder, its images brought to the net's size."""
        height, width, channels = signature.input_shape
        return replace(self, path=str(path), size=(height, width), grayscale=channels == 1)

    def where(self, folder: Path) -> str:
        """The folder."""
        from nnctl.data.paths import resolve

        return str(resolve(self.path, folder))

    def _found(self, folder: Path) -> PictureFolder:
        from nnctl.data.formats.image_folders import find_pictures
        from nnctl.data.paths import existing_folder

        found = find_pictures(existing_folder(self.path, folder), nested=self.nested)
        files = {split: by_class for split, by_class in found.files.items() if self._wants(split)}
        asked = "validation" if self.validation else "fold" if self.fold is not None else None
        if asked is not None and "validation" in files:
            raise DataError(
                f"{self.path} has a folder of validation pictures, and {asked} asks for some of the training pictures\n"
                f"  remove {asked}, or the folder",
                asked,
            )
        return replace(found, files=files)

    def _description(self, found: PictureFolder) -> Description:
        from nnctl.data.formats.images import first_picture

        first = first_picture(found.listed[0], self.picture_options)
        deep = first.dtype.kind == "f"
        return Description(
            input_shape=first.shape,
            input_dtype="real" if deep else "uint8",
            classes=found.classes,
            scale=None if deep else 1 / 255,
            examples=len(found.listed[0]),
        )
