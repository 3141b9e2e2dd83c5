"""Pictures of 16 bits a channel: what Pillow's modes keep of them, and by a second decoding what they do not.

Pillow has a mode for one channel of 16 bits, and decodes several channels to their high bytes. Their low bytes are what
it takes for the high ones when it is told the other byte order.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from nnctl.data.limits import require_memory
from nnctl.errors import DataError

_ARGUMENTS = 3
"""Place of a decoder's arguments in Pillow's notes."""
_BITS_PER_SAMPLE, _PHOTOMETRIC, _MIN_IS_WHITE = 258, 262, 0
"""Tags of TIFF, and of the second the value for pictures where 0 is white."""
_MOST = {"I;12": 4095}
"""The value of white by raw mode, where it is not 65535."""
_LARGE = 1 << 22
"""Pixels from which on the memory is asked for first."""
_BYTES_A_PIXEL = 48
"""Memory that decoding takes at its peak: two decoded halves, whole numbers and real ones of four channels."""
_OTHER_ORDER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}
_HINT = "save it with 8 or 16 bits a channel, or write arrays and use data of type npz"


def is_deep(image: Image.Image, path: Path) -> bool:
    """True where a file has more than 8 bits a channel, up to 16. Raises DataError where its numbers are no levels."""
    if image.mode == "F":
        raise DataError(f"{path} holds floating-point numbers, of which none says what white is\n  {_HINT}")
    if image.mode.startswith("I") and image.format == "PPM":
        return True
    if image.mode == "I":
        raise DataError(f"{path} holds signed numbers, or of 32 bits, and does not say what white is\n  {_HINT}")
    if image.format == "PPM":
        return _most_of_ppm(image) > 255
    if image.format == "TIFF":
        bits = _tag(image, _BITS_PER_SAMPLE) or 1
        return bool(max(bits if isinstance(bits, tuple) else (bits,)) > 8)
    return image.format == "PNG" and ";16" in _raw_mode(_tiles(image)[0])


def decode_deep(
    image: Image.Image, file: IO[bytes], path: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Values (height, width, 1 or 3) from 0 to 1, and the alpha channel (height, width, 1) where there is transparency.

    image: opened from `file`, not decoded. Raises DataError, and what Pillow raises.
    """
    width, height = image.size
    if width * height > _LARGE:
        require_memory(width * height * _BYTES_A_PIXEL, str(path))
    samples, most = _samples(image, file, path)
    alpha = None
    key = image.info.get("transparency")
    if samples.shape[2] in (2, 4):
        samples, alpha = samples[..., :-1], _share(samples[..., -1:], most)
    elif key is not None:
        # One colour of a PNG that is as good as nothing.
        alpha = (samples != np.array(key, dtype=np.uint16)).any(axis=2, keepdims=True).astype(np.float32)
    return _share(samples, most), alpha


def _samples(image: Image.Image, file: IO[bytes], path: Path) -> tuple[NDArray[np.uint16], int]:
    """Whole numbers (height, width, channels), and the one that is white."""
    tiles = _tiles(image)
    raw = _raw_mode(tiles[0])
    if image.mode.startswith("I"):
        most = _MOST.get(raw, 65535)
        levels = _decoded(image, tiles).astype(np.uint16)[..., None]
        inverted = image.format == "TIFF" and _tag(image, _PHOTOMETRIC) == _MIN_IS_WHITE
        return (most - levels if inverted else levels), most
    if raw == "LA;16B":
        # As four channels of 8 bits: the two bytes of the grey level, and those of the alpha channel.
        bytes_ = _decoded(image, [_with_raw_mode(tile, "RGBA") for tile in tiles])
        return np.ascontiguousarray(bytes_).view(">u2").astype(np.uint16), 65535
    most = 65535
    if image.format == "PPM" and tiles[0][0] == "ppm":
        most = _most_of_ppm(image)
        raw = "RGB;16B"
        tiles = [_changed(tiles[0], "raw", (raw, 0, 1))]
    if raw[:-1] not in ("RGB;16", "RGBA;16", "RGBX;16") or any(_raw_mode(tile) != raw for tile in tiles):
        raise DataError(f"{path} has more than 8 bits a channel in a way that is not read ({raw})\n  {_HINT}")
    format_ = image.format
    high = _decoded(image, tiles)
    file.seek(0)
    with Image.open(file, formats=(format_ or "",)) as again:
        low = _decoded(again, [_with_raw_mode(tile, raw[:-1] + _OTHER_ORDER[raw[-1]]) for tile in tiles])
    return high.astype(np.uint16) << 8 | low, most


def _most_of_ppm(image: Image.Image) -> int:
    """The number that is white, of decoders that are told it."""
    args = _tiles(image)[0][_ARGUMENTS]
    return int(args[1]) if isinstance(args, tuple) and len(args) == 2 else 255


def _tag(image: Image.Image, number: int) -> Any:
    """The value of a TIFF's tag; None where it has none."""
    return image.tag_v2.get(number)  # type: ignore[attr-defined]


def _tiles(image: Image.Image) -> list[Any]:
    """Pillow's notes of what its decoders are to do: tuples (codec, box, offset, arguments)."""
    return list(image.tile)  # type: ignore[attr-defined]


def _decoded(image: Image.Image, tiles: Sequence[Any]) -> NDArray[Any]:
    """The numbers, by changed notes, as the EXIF orientation turns them."""
    image.tile = list(tiles)  # type: ignore[attr-defined]
    ImageOps.exif_transpose(image, in_place=True)
    return np.asarray(image)


def _raw_mode(tile: Any) -> str:
    """The raw mode, which is a decoder's only argument or its first."""
    args = tile[_ARGUMENTS]
    return args if isinstance(args, str) else str(args[0])


def _with_raw_mode(tile: Any, raw: str) -> Any:
    args = tile[_ARGUMENTS]
    return _changed(tile, tile[0], raw if isinstance(args, str) else (raw, *args[1:]))


def _changed(tile: Any, codec: str, args: Any) -> Any:
    parts = (codec, *tile[1:_ARGUMENTS], args)
    # Some of Pillow's plugins read the parts by their names.
    return type(tile)(*parts) if hasattr(tile, "_fields") else parts


def _share(samples: NDArray[np.uint16], most: int) -> NDArray[np.float32]:
    shares: NDArray[np.float32] = samples.astype(np.float32) / np.float32(most)
    return np.minimum(shares, np.float32(1), out=shares)
