"""Outlines of picture files: what their headers tell, without a pixel being decoded."""

from __future__ import annotations

from pathlib import Path

from nnctl.data.formats.deep_images import is_deep
from nnctl.data.formats.images import opened_picture
from nnctl.late import dataclass

_GREY = ("1", "L", "LA", "I", "I;16", "I;16B")
_TURNED = (5, 6, 7, 8)
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Outline:
    """The outline of a picture: (height, width) as it is shown, and what reading it must be told.

    grey: it has no colours. transparent: it may be so in places. deep: of 16 bits a channel. several: it is the first
    of several.
    """

    size: tuple[int, int]
    grey: bool
    transparent: bool
    deep: bool
    several: bool


def outline_of(path: Path) -> Outline:
    """The outline of a picture file. Raises DataError."""
    with opened_picture(path) as (image, _):
        width, height = image.size
        # Of a PNG it stands behind the pixels, which would have to be decoded: telephones write others.
        turned = image.format != "PNG" and image.getexif().get(_ORIENTATION) in _TURNED
        return Outline(
            size=(width, height) if turned else (height, width),
            grey=image.mode in _GREY,
            transparent=image.has_transparency_data,
            deep=is_deep(image, path),
            several=bool(getattr(image, "is_animated", False)) and image.format != "MPO",
        )
