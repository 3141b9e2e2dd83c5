"""Convolution of each channel by itself: as many groups as channels and as filters, vectors over channels.

A pixel's channels lie side by side, and so do the weights of a tap: the innermost loops multiply and add rows of
them. Images, geometry and spacing as in `convolution`, whose functions call these. w (kh·kw, channels), flat.
"""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.kernels.windows import met


@compiled
def _multiplied(a: Any, b: Any, out: Any) -> None:
    """out += a∘b."""
    for c in range(out.size):
        out[c] += a[c] * b[c]


@compiled
def _cleared(x: Any) -> None:
    """x ← 0."""
    for i in range(x.size):
        x[i] = F(0.0)


@compiled
def depthwise(x: Any, w: Any, out: Any, geometry: Any, spacing: Any, back: Any) -> None:
    """out ← x * w for each image; where `back` is 1, x ← what that does to out as the cotangent."""
    kh, kw, down, across, top, left, _, _ = geometry
    dilation_down, dilation_across, _ = spacing
    images, height, width, channels = x.shape
    _, rows, columns, _ = out.shape
    flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
    _cleared(flat_x if back == 1 else flat_out)
    for n in range(images):
        for i in range(rows):
            for a in range(kh):
                row = i * down - top + a * dilation_down
                if row < 0 or row >= height:
                    continue
                for b in range(kw):
                    first, end = met(b * dilation_across, across, left, width, columns)
                    weights = window1(w, (a * kw + b) * channels, channels)
                    for j in range(first, end):
                        pixel = (n * height + row) * width + j * across - left + b * dilation_across
                        read = window1(flat_x, pixel * channels, channels)
                        made = window1(flat_out, ((n * rows + i) * columns + j) * channels, channels)
                        if back == 1:
                            _multiplied(made, weights, read)
                        else:
                            _multiplied(read, weights, made)


@compiled
def depthwise_kernel(
    x: Any, y: Any, first: Any, last: Any, out: Any, geometry: Any, spacing: Any, scratch: Any
) -> None:
    """Taps first … last − 1 of ∂C/∂w from all images; y: ∂C/∂(x * w). out: those taps, flat.

    scratch: of the sums over a row of y.
    """
    _, kw, down, across, top, left, _, _ = geometry
    dilation_down, dilation_across, _ = spacing
    images, height, width, channels = x.shape
    _, rows, columns, _ = y.shape
    flat_x, flat_y = x.reshape(x.size), y.reshape(y.size)
    sums = window1(scratch, 0, channels)
    _cleared(out)
    for n in range(images):
        for i in range(rows):
            for tap in range(first, last):
                row = i * down - top + tap // kw * dilation_down
                if row < 0 or row >= height:
                    continue
                b = tap % kw * dilation_across
                begin, end = met(b, across, left, width, columns)
                _cleared(sums)
                for j in range(begin, end):
                    pixel = (n * height + row) * width + j * across - left + b
                    position = (n * rows + i) * columns + j
                    _multiplied(
                        window1(flat_x, pixel * channels, channels),
                        window1(flat_y, position * channels, channels),
                        sums,
                    )
                made = window1(out, (tap - first) * channels, channels)
                for c in range(channels):
                    made[c] += sums[c]
