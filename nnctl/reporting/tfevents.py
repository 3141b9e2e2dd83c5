"""Files of events as TensorBoard reads them: records with checksums, each an `Event` as protocol buffers have it.

    record: length (uint64), its checksum, data, its checksum      little-endian; the checksum masked CRC-32C

Format: TFRecord (tensorflow.org/tutorials/load_data/tfrecord), `event.proto` and `summary.proto`; CRC-32C after
Castagnoli et al. 1993, polynomial 0x1EDC6F41, reflected.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

_WORD = 0xFFFFFFFF
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
"""Wire types of protocol buffers."""


def version_record(seconds: float) -> bytes:
    """The first record of a file. seconds: since 1970."""
    return _record(_field(1, _DOUBLE, struct.pack("<d", seconds)) + _text(3, "brain.Event:2"))


def scalars_record(seconds: float, step: int, scalars: Mapping[str, float]) -> bytes:
    """A record of scalars by their tags, at a step, as float32. seconds: since 1970."""
    values = b"".join(
        _field(1, _BYTES, _sized(_text(1, tag) + _field(2, _FLOAT, _single(value)))) for tag, value in scalars.items()
    )
    head = _field(1, _DOUBLE, struct.pack("<d", seconds)) + _field(2, _VARINT, _varint(step))
    return _record(head + _field(5, _BYTES, _sized(values)))


def masked_crc(data: bytes) -> int:
    """The CRC-32C of data, rotated and shifted as a record keeps it: a checksum of checksums would be weak."""
    crc = _WORD
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= _WORD
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & _WORD


def _table() -> tuple[int, ...]:
    entries = []
    for entry in range(256):
        for _ in range(8):
            entry = (entry >> 1) ^ (0x82F63B78 if entry & 1 else 0)  # noqa: PLW2901 — the register of the division
        entries.append(entry)
    return tuple(entries)


_TABLE = _table()


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc(length)) + data + struct.pack("<I", masked_crc(data))


def _field(number: int, wire: int, content: bytes) -> bytes:
    return _varint(number << 3 | wire) + content


def _text(number: int, text: str) -> bytes:
    # A name that is no text, with half of a pair, is written out.
    return _field(number, _BYTES, _sized(text.encode("utf-8", "backslashreplace")))


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _single(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", float("inf") if value > 0 else float("-inf"))


def _varint(value: int) -> bytes:
    content = bytearray()
    while value > 0x7F:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*content, value])
