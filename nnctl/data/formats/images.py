"""Picture files into arrays, by Pillow: a pure function of a file and options, so that any thread may decode."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from nnctl.data.formats.deep_images import decode_deep, is_deep
from nnctl.data.limits import PIXELS, require_memory
from nnctl.data.opening import open_file
from nnctl.data.pictures import PictureOptions
from nnctl.data.stored.arrays import Rows, StoredArray
from nnctl.data.stored.folder import digest_of, entry, on_disk
from nnctl.data.stored.progress import shown
from nnctl.errors import DataError
from nnctl.process.cores import cores

_Found = TypeVar("_Found")
_STORED = "pictures"
_TOGETHER = 64
"""Pictures that are decoded and not yet put in their place, at the most."""
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Formats that a file may hold, whatever its name: Pillow knows others, of which some start programs to draw them."""
_DAMAGE = (
    *(OSError, EOFError, SyntaxError, ValueError, TypeError, AttributeError, RuntimeError, LookupError),
    *(ArithmeticError, struct.error, zlib.error, MemoryError),
)
"""Exceptions that Pillow's decoders raise of files that are not what they seem."""
_MOST_BROKEN = 100
"""Broken pictures after which no more are looked for."""
_MOST_NAMED = 20
_TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)
"""Exceptions that Pillow raises of a picture above its own limits, which are not below ours."""

# Once and for all, for a filter around each picture would be no business of one thread alone. A picture so large that
# Pillow warns is above our limit; what else it warns of, reading shows.
warnings.filterwarnings("ignore", module=r"PIL\.")


class BrokenPictureError(DataError):
    """A picture that no option lets be read: damaged, of no known format, or too large."""


def each_sound(paths: Sequence[Path], read: Callable[[Path], _Found]) -> Iterator[tuple[Path, _Found]]:
    """Each picture and what `read` makes of it, in order, on every core.

    Broken pictures are told together, behind the last: whoever mends a folder would else find one a try. Raises
    DataError; what `read` raises besides is raised at once.
    """

    def tried(path: Path) -> _Found | BrokenPictureError:
        try:
            return read(path)
        except BrokenPictureError as error:
            return error

    broken: dict[Path, BrokenPictureError] = {}
    with ThreadPoolExecutor(cores(), "nnctl-pictures") as threads:
        for start in range(0, len(paths), _TOGETHER):
            some = paths[start : start + _TOGETHER]
            for path, found in zip(some, threads.map(tried, some), strict=True):
                if isinstance(found, BrokenPictureError):
                    broken[path] = found
                elif not broken:
                    yield path, found
            if len(broken) >= _MOST_BROKEN:
                break
    if broken:
        first, *others = broken
        # In full, for they are files to be found.
        names = ", ".join(map(str, others[:_MOST_NAMED])) + (", …" if len(others) > _MOST_NAMED else "")
        least = "at least " if len(broken) >= _MOST_BROKEN else ""
        more = (
            f"\n  {least}{len(others)} more cannot be read: {names}\n  mend them, or move them away" if others else ""
        )
        raise BrokenPictureError(f"{broken[first].message}{more}")


def first_picture(paths: Sequence[Path], options: PictureOptions) -> NDArray[Any]:
    """The first of some pictures, see `read_image`; where it is broken, all that are broken are told."""
    try:
        return read_image(paths[0], options)
    except BrokenPictureError:
        deque(each_sound(paths, lambda path: read_image(path, options)), maxlen=0)
        raise


def read_image(path: Path, options: PictureOptions) -> NDArray[Any]:
    """One picture, (height, width, 3), or 1 where grayscale: uint8 of 8 bits, float32 from 0 to 1 of 16 bits.

    Turned as its EXIF orientation says, put on the background, made grey and only then resized (bilinear).
    The same file and options give the same bytes. Raises DataError.
    """
    with opened_picture(path) as (image, file):
        # What a telephone stores behind its photograph, as MPO, is that photograph again.
        if getattr(image, "is_animated", False) and image.format != "MPO" and not options.first:
            raise DataError(
                f"{path} holds several pictures\n  give data the field frames: first, or save the one that is meant"
            )
        if is_deep(image, path):
            return _of_deep(image, file, path, options)
        return _of_bytes(image, path, options)


@contextmanager
def opened_picture(path: Path) -> Iterator[tuple[Image.Image, IO[bytes]]]:
    """A picture file, of which only the header is read, and its stream. What goes wrong within is a DataError."""
    with open_file(path) as file:
        try:
            with Image.open(file, formats=_FORMATS) as image:
                width, height = image.size
                if width * height > PIXELS:
                    raise BrokenPictureError(
                        f"{path} is {height:,}×{width:,}, and at most {PIXELS:,} pixels are read of a picture"
                    )
                yield image, file
        except UnidentifiedImageError as error:
            raise BrokenPictureError(
                f"{path} cannot be read as an image: it is none of {', '.join(_FORMATS)}"
            ) from error
        except _TOO_LARGE as error:
            raise BrokenPictureError(f"{path} is too large: at most {PIXELS:,} pixels are read of a picture") from error
        except _DAMAGE as error:
            raise BrokenPictureError(f"{path} cannot be read as an image: {error}") from error


def _of_bytes(image: Image.Image, path: Path, options: PictureOptions) -> NDArray[Any]:
    # Cameras store the turn of a picture beside it.
    ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        alpha = layer.getchannel("A")
        # Where all is opaque, every ground would give the same.
        if alpha.getextrema() != (255, 255):
            image = Image.new("RGB", layer.size, _background(options, path))
            image.paste(layer.convert("RGB"), mask=alpha)
        else:
            image = layer
    # Grey by way of colour, so that a picture's grey levels do not hang on the mode that it is stored in.
    image = image.convert("L" if options.grayscale and image.mode in ("1", "L") else "RGB")
    image = image.convert("L") if options.grayscale else image
    if options.size is not None and image.size != options.size[::-1]:
        image = image.resize(options.size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(image, dtype=np.uint8)
    pixels = pixels[..., None] if options.grayscale else pixels
    return pixels if options.bits != 16 else pixels.astype(np.float32) / np.float32(255)


def _of_deep(image: Image.Image, file: IO[bytes], path: Path, options: PictureOptions) -> NDArray[Any]:
    values, alpha = decode_deep(image, file, path)
    if alpha is not None and alpha.min() < 1.0:
        ground = np.array(_background(options, path), dtype=np.float32) / np.float32(255)
        values = values * alpha + ground * (1 - alpha)
    if options.grayscale and values.shape[2] == 3:
        # The weights of ITU-R BT.601, as Pillow rounds them for 8 bits.
        values = values @ (np.array([[19595], [38470], [7471]], dtype=np.float32) / np.float32(1 << 16))
    if options.size is not None and values.shape[:2] != options.size:
        channels = [Image.fromarray(values[..., c]) for c in range(values.shape[2])]
        resized = [c.resize(options.size[::-1], Image.Resampling.BILINEAR) for c in channels]
        values = np.stack([np.asarray(c, dtype=np.float32) for c in resized], axis=2)
    if values.shape[2] == 1 and not options.grayscale:
        values = np.repeat(values, 3, axis=2)
    return values if options.bits != 8 else np.rint(values * 255).astype(np.uint8)


def _background(options: PictureOptions, path: Path) -> tuple[int, int, int]:
    if options.background is None:
        raise DataError(
            f"{path} is transparent in places, and what lies behind is not said\n"
            "  give data the field background: white (or black, a grey level from 0 to 255, or [red, green, blue]),\n"
            "  or save the picture without transparency"
        )
    return options.background


def read_images(paths: Sequence[Path], options: PictureOptions, in_memory: bool | None, folder: Path) -> Rows:
    """Pictures (n, height, width, channels), in memory or on disk. folder: where they are from, in messages.

    Raises DataError where one has not the size and the bits of the first.
    """
    first = first_picture(paths, options)
    shape, size = (len(paths), *first.shape), len(paths) * first.nbytes
    if on_disk(in_memory, size):
        return _stored_images(paths, options, shape, first.dtype, folder)
    require_memory(size, f"{len(paths):,} images of shape {first.shape}")
    images = np.empty(shape, dtype=first.dtype)
    for index, image in enumerate(_decoded_in_order(paths, options)):
        images[index] = image
    return images


def _stored_images(
    paths: Sequence[Path], options: PictureOptions, shape: tuple[int, ...], dtype: np.dtype[Any], folder: Path
) -> StoredArray:
    def make(into: Path) -> None:
        with (into / _STORED).open("wb") as file:
            # One by one, so that the bar moves.
            images = (image[None] for image in _decoded_in_order(paths, options))
            for image in shown(images, f"decoding {folder}", len(paths), "pictures"):
                file.write(np.ascontiguousarray(image).data)

    kept = entry(digest_of(paths, asdict(options)), str(folder), "pictures", make)
    return StoredArray(kept / _STORED, shape, dtype)


def _decoded_in_order(paths: Sequence[Path], options: PictureOptions) -> Iterator[NDArray[Any]]:
    """The pictures in order, decoded on every core. Raises DataError where one is not like the first."""
    first = first_picture(paths, options)
    for path, image in each_sound(paths, lambda path: read_image(path, options)):
        require_alike(image, path, first, paths[0])
        yield image


def require_alike(image: NDArray[Any], path: Path, first: NDArray[Any], first_path: Path) -> None:
    """Raise DataError where a picture has another size, or other bits a channel, than the first one."""
    if image.shape != first.shape:
        height, width = first.shape[:2]
        raise DataError(
            f"{path} is {image.shape[0]}×{image.shape[1]}, and {first_path} is {height}×{width}\n"
            f"  resize them all with size: [{height}, {width}]"
        )
    if image.dtype != first.dtype:
        raise DataError(
            f"{path} has {bits_of(image)} bits a channel, and {first_path} has {bits_of(first)}\n"
            "  bits: 16 divides levels of 8 bits by 255 and of 16 by 65535; bits: 8 rounds them all to 8"
        )


def bits_of(image: NDArray[Any]) -> int:
    """Bits a channel that a picture was read with."""
    return 8 if image.dtype == np.uint8 else 16


def write_png(file: IO[bytes], pixels: NDArray[np.uint8]) -> None:
    """Write a picture (height, width, 1 or 3) to a file, as PNG. Raises OSError."""
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG")
