"""Options by which picture files become arrays: what training and prediction have to agree on."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from nnctl.late import dataclass

Bits = Literal[8, 16]


@dataclass(frozen=True)
class PictureOptions:
    """Options of reading one picture, whatever others there are.

    size: (height, width) to resize to, None to leave it. grayscale: one channel (luma) in place of three.
    background: (red, green, blue) from 0 to 255 behind what is transparent, None where nothing may be.
    bits: of a channel, to which the picture is brought; None as the file has them, 8 or 16.
    first: of a file with several pictures take the first; else it is refused.
    nested: folders of pictures may have folders within, which are read, too; else these are refused.
    """

    size: tuple[int, int] | None = None
    grayscale: bool = False
    background: tuple[int, int, int] | None = None
    bits: Bits | None = None
    first: bool = False
    nested: bool = False

    def fitted(self, shape: tuple[int, ...]) -> PictureOptions:
        """The same options for a net that reads (height, width, channels)."""
        return replace(self, size=(shape[0], shape[1]), grayscale=shape[2] == 1)
