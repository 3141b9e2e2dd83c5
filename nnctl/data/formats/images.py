"""Image files into arrays, by Pillow."""

from __future__ import annotations

import math
import struct
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nnctl.data.limits import PIXELS, require_memory
from nnctl.data.opening import listed, open_file
from nnctl.data.paths import IMAGE_SUFFIXES
from nnctl.errors import DataError

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Formats that a file may hold, whatever its name: Pillow knows others, of which some start programs to draw them."""
_DAMAGE = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, RuntimeError, LookupError),
    *(ArithmeticError, struct.error, zlib.error, MemoryError),
)
"""Exceptions that Pillow's decoders raise of files that are not what they seem."""
_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)
"""Exceptions that Pillow raises of a picture above its own limits, which are not below ours."""


def find_images(folder: Path) -> dict[str, list[Path]]:
    """Image files in order of name, by class name. Raises DataError where a class has none."""
    classes = [path for path in listed(folder) if path.is_dir() and not path.name.startswith(".")]
    if not classes:
        raise DataError(f"{folder} has no sub-folders; put the images of each class in one of its own")
    for path in classes:
        if not path.name.isprintable():
            raise DataError(
                f"{folder} has a folder named {path.name!r}, and the names of classes are printable UTF-8\n  rename it"
            )
    return {path.name: images_in(path) for path in classes}


def images_in(folder: Path) -> list[Path]:
    """The image files that lie in a folder itself, in order of name. Raises DataError where there is none."""
    paths = [path for path in listed(folder) if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")]
    if not paths:
        raise DataError(f"{folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})")
    return paths


def read_image(path: Path, size: tuple[int, int] | None, grayscale: bool) -> NDArray[np.uint8]:
    """One image, (height, width, 3), or 1 where grayscale. `size`: (height, width) to resize to. Raises DataError."""
    with open_file(path) as file:
        try:
            image = _decoded(file, path, "L" if grayscale else "RGB")
        except UnidentifiedImageError as error:
            raise DataError(f"{path} cannot be read as an image: it is none of {', '.join(_FORMATS)}") from error
        except _TOO_LARGE as error:
            raise DataError(f"{path} is too large: at most {PIXELS:,} pixels are read of a picture") from error
        except _DAMAGE as error:
            raise DataError(f"{path} cannot be read as an image: {error}") from error
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[..., None] if grayscale else pixels


def _decoded(file: IO[bytes], path: Path, mode: str) -> Image.Image:
    """The picture in a mode of Pillow's. Raises DataError, or one of `_DAMAGE` or `_TOO_LARGE`."""
    with warnings.catch_warnings():
        # A picture so large that Pillow warns is above our limit; what else it warns of, reading shows.
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=_FORMATS) as image:
            width, height = image.size
            if width * height > PIXELS:
                raise DataError(f"{path} is {height:,}×{width:,}, and at most {PIXELS:,} pixels are read of a picture")
            if image.mode[0] in "IF":
                raise DataError(f"{path} has pixels of mode {image.mode}; convert it to 8 bits a channel")
            # Cameras store the turn of a picture beside it.
            ImageOps.exif_transpose(image, in_place=True)
            return image.convert(mode)


def read_images(
    files: Mapping[str, Sequence[Path]], shape: tuple[int, ...], size: tuple[int, int] | None, grayscale: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(images (n, *shape), labels (n,)). Raises DataError where a file is broken or of another size."""
    count = sum(map(len, files.values()))
    require_memory(count * math.prod(shape), f"{count:,} images of shape {shape}")
    images = np.empty((count, *shape), dtype=np.uint8)
    labels = np.repeat(np.arange(len(files)), [len(paths) for paths in files.values()]).astype(np.int64)
    for index, path in enumerate(path for paths in files.values() for path in paths):
        image = read_image(path, size, grayscale)
        if image.shape != shape:
            raise DataError(
                f"{path} is {image.shape[0]}×{image.shape[1]}, and the first image {shape[0]}×{shape[1]}\n"
                f"  resize them all with size: [{shape[0]}, {shape[1]}]"
            )
        images[index] = image
    return images, labels


def write_png(file: IO[bytes], pixels: NDArray[np.uint8]) -> None:
    """Write a picture (height, width, 1 or 3) to a file, as PNG. Raises OSError."""
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
