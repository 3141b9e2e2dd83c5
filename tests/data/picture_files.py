"""Pictures of 16 bits a channel as PNG and TIFF, which Pillow does not write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's number for so many channels."""


def png16(samples: NDArray[Any], transparent: Sequence[int] = ()) -> bytes:
    """A PNG of samples (height, width, channels); `transparent`: the one colour that is."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    head = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    key = _chunk(b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)) if transparent else b""
    chunks = _chunk(b"IHDR", head) + key + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def tiff16(samples: NDArray[Any], order: str = "<", *, packed: bool = False, photometric: int | None = None) -> bytes:
    """A TIFF of samples (height, width, channels), in a byte order, in one strip; a fourth channel is alpha."""
    height, width, channels = samples.shape
    data = samples.astype(f"{order}u2").tobytes()
    data = zlib.compress(data) if packed else data
    data += b"\0" * (len(data) % 2)
    photometric = photometric if photometric is not None else (2 if channels > 1 else 1)
    bits = 16 if channels == 1 else 8 + len(data)
    short, long = 3, 4
    tags = [(256, short, 1, width), (257, short, 1, height), (258, short if channels == 1 else long, channels, bits)]
    tags += [(259, short, 1, 8 if packed else 1), (262, short, 1, photometric), (273, long, 1, 8)]
    tags += [(277, short, 1, channels), (278, short, 1, height), (279, long, 1, len(data))]
    tags += [(338, short, 1, 2)] if channels == 4 and photometric == 2 else []
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(data) + 2 * channels) + data
    out += struct.pack(f"{order}{channels}H", *[16] * channels) + struct.pack(f"{order}H", len(tags))
    for tag, kind, count, value in tags:
        packed_value = struct.pack(f"{order}HH", value, 0) if kind == short else struct.pack(f"{order}I", value)
        out += struct.pack(f"{order}HHI", tag, short if tag == 258 else kind, count) + packed_value
    return out + struct.pack(f"{order}I", 0)
