"""Image files into arrays, by Pillow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from nnctl.errors import DataError

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})


def find_images(folder: Path) -> dict[str, list[Path]]:
    """Image files in order of name, by class name. Raises DataError where a class has none."""
    classes = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))
    if not classes:
        raise DataError(f"{folder} has no sub-folders; put the images of each class in one of its own")
    files = {
        path.name: sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        for path in classes
    }
    for name, paths in files.items():
        if not paths:
            raise DataError(f"{folder / name} holds no image ({', '.join(sorted(SUFFIXES))})")
    return files


def read_image(path: Path, size: tuple[int, int] | None, grayscale: bool) -> NDArray[np.uint8]:
    """One image, (height, width, 3), or 1 where grayscale. `size`: (height, width) to resize to. Raises DataError."""
    try:
        with Image.open(path) as opened:
            if opened.mode[0] in "IF":
                raise DataError(f"{path} has pixels of mode {opened.mode}; convert it to 8 bits a channel")
            # Cameras store the turn of a picture beside it.
            image = ImageOps.exif_transpose(opened).convert("L" if grayscale else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as an image: {error}") from error
    if size is not None and image.size != (size[1], size[0]):
        image = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[..., None] if grayscale else pixels


def read_images(
    files: Mapping[str, Sequence[Path]], shape: tuple[int, ...], size: tuple[int, int] | None, grayscale: bool
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(images (n, *shape), labels (n,)). Raises DataError where a file is broken or of another size."""
    images = np.empty((sum(map(len, files.values())), *shape), dtype=np.uint8)
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


def write_image(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a picture (height, width, 1 or 3) to a file, of the kind that its suffix says. Raises OSError."""
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)
