"""Convolution, its input gradient and its kernel gradient, by direct kernels, or as `winograd` has it.

Images and geometry as in `windows`. w (kh, kw, channels/groups, filters). spacing: the tuple (dilation
down, dilation across, groups). largest: the tuple (sums, rows, vectors, lanes) of what a tile has at most.
"""

from __future__ import annotations

import math
from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import pack, packed_product, window1, window4
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.codegen.registration import emits
from nnctl.backends.cpu.codegen.writer import Writer, part_of
from nnctl.backends.cpu.compiler.marks import compiled
from nnctl.backends.cpu.convolve.choice import blocks_of, by_winograd
from nnctl.backends.cpu.convolve.module import convolve, convolve_kernel, largest_tile, pack_filters
from nnctl.backends.cpu.gemm.product import packed_size, panel_width
from nnctl.backends.cpu.kernels.depthwise import depthwise, depthwise_kernel
from nnctl.backends.cpu.kernels.windows import as_images, as_tuple, geometry_of, met, two
from nnctl.backends.cpu.kernels.winograd import (
    winograd,
    winograd_kernel,
    winograd_kernel_scratch,
    winograd_scratch,
)
from nnctl.plan.plan import Launch


@compiled
def _zeros(x: Any, count: Any) -> None:
    """The first numbers of x ← 0."""
    for i in range(count):
        x[i] = F(0.0)


@compiled
def _filled(panel: Any, rows: Any, wide: Any, count: Any, lanes: Any) -> None:
    """Zeros behind the last of `count` columns of a panel, up to the end of a vector: whole ones are read."""
    for i in range(rows):
        for j in range(count, (count + lanes - 1) // lanes * lanes):
            panel[i * wide + j] = F(0.0)


@compiled
def convolution(x: Any, w: Any, out: Any, geometry: Any, spacing: Any, largest: Any, scratch: Any) -> None:
    """out ← x * w for each image; w flat."""
    kh, kw, down, across, top, left, _, _ = geometry
    dilation_down, dilation_across, groups = spacing
    _, _, most, lanes = largest
    images, height, width, channels = x.shape
    _, rows, columns, filters = out.shape
    read, made = channels // groups, filters // groups
    if groups > 1 and read == 1 and made == 1:
        depthwise(x, w, out, geometry, spacing, 0)
        return
    flat_x, flat_out = x.reshape(x.size), out.reshape(out.size)
    # The panel comes first, for it lies on a cache line's boundary there.
    packed = kh * kw * read * most * lanes
    panel, zeros = window1(scratch, 0, packed), window1(scratch, packed, kw * read)
    _zeros(zeros, kw * read)
    vectors = (made + lanes - 1) // lanes
    panels = (vectors + most - 1) // most
    for g in range(groups):
        for p in range(panels):
            start = vectors * p // panels * lanes
            count = min(made, vectors * (p + 1) // panels * lanes) - start
            first = g * made + start
            # A kernel's taps lie one after another: its rows are those of one matrix.
            rest = window1(w, first, w.size - first)
            pack_filters(0, count, kh * kw * read, rest, filters, panel, most * lanes)
            _filled(panel, kh * kw * read, most * lanes, count, lanes)
            for n in range(images):
                image, result = n * height * width * channels + g * read, n * rows * columns * filters + first
                convolve(
                    window1(flat_x, image, flat_x.size - image), height, width, channels, read, panel, most * lanes,
                    count, window1(flat_out, result, flat_out.size - result), columns * filters, filters, rows,
                    columns, down, across, -top, -left, kh, kw, dilation_down, dilation_across, zeros,
                )  # fmt: skip


@compiled
def _scattered(y: Any, w: Any, out: Any, geometry: Any, panel: Any, packed: Any) -> None:
    """Sums of what each position of y adds to out, where there is neither padding nor dilation nor groups.

    A row of the kernel is a row of numbers in out, too. Positions below one another add to different ones, and so
    are the rows of a product.
    """
    kh, kw, down, across, _, _, _, _ = geometry
    images, rows, columns, filters = y.shape
    _, height, width, channels = out.shape
    row, line = kw * channels, width * channels
    flat_y, flat_out = y.reshape(y.size), out.reshape(out.size)
    _zeros(flat_out, out.size)
    for a in range(kh):
        start = a * row * filters
        pack(1, row, filters, window1(w, start, row * filters), filters, window1(panel, a * packed, packed))
    for n in range(images):
        for a in range(kh):
            for j in range(columns):
                position, result = (n * rows * columns + j) * filters, (n * height + a) * line + j * across * channels
                packed_product(
                    rows, row, filters, window1(flat_y, position, flat_y.size - position), columns * filters,
                    window1(panel, a * packed, packed), F(1.0), window1(flat_out, result, flat_out.size - result),
                    down * line,
                )  # fmt: skip


@compiled
def _taps(size: Any, dilation: Any, stride: Any, place: Any) -> Any:
    """(count, first, gap) of the taps of a kernel's axis that meet input `place`: place − tap·dilation is a multiple
    of the stride."""
    count, first, gap = 0, 0, 1
    for tap in range(size):
        if (place - tap * dilation) % stride == 0:
            if count == 0:
                first = tap
            elif count == 1:
                gap = tap - first
            count += 1
    return count, first, gap


@compiled
def convolution_transpose(
    y: Any, w: Any, out: Any, geometry: Any, spacing: Any, largest: Any, wide: Any, scratch: Any
) -> None:
    """out (…, channels): what `convolution` does to y's cotangent; w flat. wide: columns of a product's panel.

    Pixels of out that lie a stride apart meet the same taps, and of y pixels side by side: a convolution for each of
    the down·across sets of pixels, with those taps of the kernel turned by half a circle.
    """
    kh, kw, down, across, top, left, around, along = geometry
    dilation_down, dilation_across, groups = spacing
    _, _, most, lanes = largest
    images, rows, columns, filters = y.shape
    _, height, width, channels = out.shape
    read, made = channels // groups, filters // groups
    if groups > 1 and read == 1 and made == 1:
        depthwise(out, w, y, geometry, spacing, 1)
        return
    plain = top == 0 and left == 0 and around == height and along == width
    if plain and dilation_down == 1 and dilation_across == 1 and groups == 1 and rows >= 4:
        _scattered(y, w, out, geometry, scratch, (kw * channels + wide - 1) // wide * wide * filters)
        return
    flat_y, flat_out = y.reshape(y.size), out.reshape(out.size)
    vectors = (read + lanes - 1) // lanes
    panels = (vectors + most - 1) // most
    packed = kh * kw * made * most * lanes
    panel, zeros = window1(scratch, 0, packed), window1(scratch, packed, kw * made)
    _zeros(zeros, kw * made)
    for g in range(groups):
        for p in range(panels):
            start = vectors * p // panels * lanes
            count = min(read, vectors * (p + 1) // panels * lanes) - start
            for i in range(min(down, height)):
                taps_down, first_down, gap_down = _taps(kh, dilation_down, down, i + top)
                last_down = first_down + (taps_down - 1) * gap_down
                for j in range(min(across, width)):
                    taps_across, first_across, gap_across = _taps(kw, dilation_across, across, j + left)
                    last_across = first_across + (taps_across - 1) * gap_across
                    for a in range(taps_down):
                        for b in range(taps_across):
                            tap = (last_down - a * gap_down) * kw + last_across - b * gap_across
                            source = (tap * read + start) * filters + g * made
                            target = (a * taps_across + b) * made * most * lanes
                            pack_filters(
                                1, count, made, window1(w, source, w.size - source), filters,
                                window1(panel, target, panel.size - target), most * lanes,
                            )  # fmt: skip
                    _filled(panel, taps_down * taps_across * made, most * lanes, count, lanes)
                    for n in range(images):
                        image = n * rows * columns * filters + g * made
                        result = ((n * height + i) * width + j) * channels + g * read + start
                        convolve(
                            window1(flat_y, image, flat_y.size - image), rows, columns, filters, made, panel,
                            most * lanes, count, window1(flat_out, result, flat_out.size - result),
                            down * width * channels, across * channels, (height - i + down - 1) // down,
                            (width - j + across - 1) // across, 1, 1, (i + top - last_down * dilation_down) // down,
                            (j + left - last_across * dilation_across) // across, taps_down, taps_across,
                            gap_down * dilation_down // down, gap_across * dilation_across // across, zeros,
                        )  # fmt: skip


@compiled
def convolution_kernel(
    x: Any, y: Any, first: Any, last: Any, out: Any, geometry: Any, spacing: Any, largest: Any, several: Any,
    block: Any, scratch: Any,
) -> None:  # fmt: skip
    """Rows first … last − 1 of ∂C/∂w, seen as a matrix (kh·kw·channels/groups, filters), from all images.

    y: ∂C/∂(x * w). out: those rows, flat. several, block: images, and rows of each, that are summed up before the sum
    is added.
    """
    _, kw, down, across, top, left, around, along = geometry
    dilation_down, dilation_across, groups = spacing
    sums, rows_most, most, lanes = largest
    _, height, width, channels = x.shape
    images, rows, columns, filters = y.shape
    read, made = channels // groups, filters // groups
    if groups > 1 and read == 1 and made == 1:
        depthwise_kernel(x, y, first, last, out, geometry, spacing, scratch)
        return
    flat_x, flat_y = x.reshape(x.size), y.reshape(y.size)
    vectors = (made + lanes - 1) // lanes
    panels = (vectors + most - 1) // most
    _zeros(out, out.size)
    if first == last:
        return
    # Where no tap lies outside, all rows are summed over the same positions, and taps may share a tile.
    plain = around == height and along == width
    first_tap, last_tap = first // read, (last - 1) // read
    for n in range(0, images, several):
        for begin in range(0, rows, block):
            for tap in range(first_tap, first_tap + 1 if plain else last_tap + 1):
                low, high = (first, last) if plain else (max(first, tap * read), min(last, (tap + 1) * read))
                top_row, end_row = met(tap // kw * dilation_down, down, top, height, rows)
                left_column, end_column = met(tap % kw * dilation_across, across, left, width, columns)
                if plain:
                    top_row, end_row, left_column, end_column = 0, rows, 0, columns
                top_row, end_row = max(top_row, begin), min(end_row, begin + block)
                if top_row >= end_row or left_column >= end_column:
                    continue
                pixel = n * height * width * channels
                position = ((n * rows + top_row) * columns + left_column) * filters
                for part in range(groups * panels):
                    g, p = part // panels, part % panels
                    start, end = vectors * p // panels, vectors * (p + 1) // panels
                    tile = min(rows_most, sums // (end - start))
                    start, end = start * lanes, min(made, end * lanes)
                    tiles = (high - low + tile - 1) // tile
                    for t in range(tiles):
                        row = low + (high - low) * t // tiles
                        count = low + (high - low) * (t + 1) // tiles - row
                        a, b, c = row // (kw * read), row // read % kw, row % read
                        down_from = top_row * down - top + a * dilation_down
                        across_from = left_column * across - left + b * dilation_across
                        image = pixel + (down_from * width + across_from) * channels + c + g * read
                        result, target = position + g * made + start, (row - first) * filters + g * made + start
                        convolve_kernel(
                            count, c, read, dilation_across * channels - read, b, kw,
                            (dilation_down * width - kw * dilation_across) * channels,
                            window1(flat_x, image, flat_x.size - image), height * width * channels,
                            down * width * channels, across * channels,
                            window1(flat_y, result, flat_y.size - result), rows * columns * filters,
                            columns * filters, filters, min(several, images - n), end_row - top_row,
                            end_column - left_column, end - start,
                            window1(out, target, out.size - target), filters,
                        )  # fmt: skip


@compiled
def kernel_by_example(
    x: Any, y: Any, out: Any, geometry: Any, spacing: Any, largest: Any, several: Any, block: Any, scratch: Any
) -> None:
    """The gradient of each image by itself: as many numbers of out, flat."""
    images, height, width, channels = x.shape
    _, rows, columns, filters = y.shape
    if images == 0:
        return
    flat_x, flat_y, size = x.reshape(x.size), y.reshape(y.size), out.size // images
    for n in range(images):
        convolution_kernel(
            window4(flat_x, n * height * width * channels, 1, height, width, channels),
            window4(flat_y, n * rows * columns * filters, 1, rows, columns, filters),
            0, size // filters, window1(out, n * size, size), geometry, spacing, largest, several, block, scratch,
        )  # fmt: skip


def _spacing(launch: Launch) -> tuple[int, int, int]:
    """(dilation down, dilation across, groups)."""
    return (*two(launch.attributes["dilation"], 1), launch.attributes["groups"])


def _call(launch: Launch, arguments: str, geometry: tuple[int, ...], last: str) -> str:
    """The call of the op's function."""
    tuples = ", ".join(as_tuple(numbers) for numbers in (geometry, _spacing(launch), largest_tile()))
    return f"{launch.op.name}({arguments}, {tuples}, {last})"


def _by_winograd(launch: Launch) -> bool:
    """True for a convolution, or the gradient of its images, that takes fewer multiplications."""
    return by_winograd(launch.inputs[1].shape, launch.attributes, launch.outputs[0].shape[1:-1])


def _winograd(writer: Writer, launch: Launch, arguments: str, *, back: int) -> str:
    above, left = (before for before, _ in launch.attributes["padding"])
    return f"winograd({arguments}, ({above}, {left}), {writer.flag(back)}, {panel_width()}, scratch)"


def _scratch(launch: Launch) -> int:
    """Of a panel of the filters, and of zeros for a row of the kernel."""
    x, w = launch.inputs[:2]
    if launch.op.name == "convolution" and _by_winograd(launch):
        return winograd_scratch(*w.shape[-2:])
    places, row = math.prod(w.shape[:-2]), w.shape[:-2][-1]
    inner = x.shape[-1] // launch.attributes["groups"]
    *_, vectors, lanes = largest_tile()
    floats: int = places * inner * vectors * lanes + row * inner
    return floats


@emits("convolution", calls=(convolution, winograd), scratch=_scratch, rows=True, full=(1,))
def _convolution(writer: Writer, launch: Launch) -> None:
    x, w = launch.inputs
    part = part_of(launch)
    images, result = as_images(writer, x, part), as_images(writer, launch.outputs[0], part)
    if _by_winograd(launch):
        writer.line(_winograd(writer, launch, f"{images}, {writer.view(w, 'full')}, {result}", back=0))
        return
    geometry = geometry_of(w.shape[:-2], launch.attributes, x.shape[1:-1])
    writer.line(_call(launch, f"{images}, {writer.view(w, 'full')}, {result}", geometry, "scratch"))


def _transpose_scratch(launch: Launch) -> int:
    """The same, or of all rows of the kernel, packed."""
    w = launch.inputs[1]
    if _by_winograd(launch):
        return winograd_scratch(w.shape[-1], w.shape[-2])
    kh, kw = two(w.shape[:-2], 1)
    floats: int = max(_scratch(launch), kh * packed_size(kw * w.shape[-2], w.shape[-1]))
    return floats


@emits(
    "convolution_transpose", calls=(convolution_transpose, winograd), scratch=_transpose_scratch, rows=True, full=(1,)
)
def _convolution_transpose(writer: Writer, launch: Launch) -> None:
    y, w = launch.inputs
    part = part_of(launch)
    images, result = as_images(writer, y, part), as_images(writer, launch.outputs[0], part)
    if _by_winograd(launch):
        writer.line(_winograd(writer, launch, f"{images}, {writer.view(w, 'full')}, {result}", back=1))
        return
    geometry = geometry_of(w.shape[:-2], launch.attributes, launch.outputs[0].shape[1:-1])
    last = f"{panel_width()}, scratch"
    writer.line(_call(launch, f"{images}, {writer.view(w, 'full')}, {result}", geometry, last))


def _kernel_scratch(launch: Launch) -> int:
    """Of a row of the gradient, or of what products need."""
    *_, channels, filters = launch.outputs[0].shape
    if _kernel_by_winograd(launch):
        return winograd_kernel_scratch(channels, filters)
    floats: int = filters
    return floats


def _kernel_by_winograd(launch: Launch) -> bool:
    return by_winograd(launch.outputs[0].shape, launch.attributes, launch.inputs[1].shape[1:-1])


@emits("convolution_kernel", calls=(convolution_kernel, winograd_kernel), scratch=_kernel_scratch, strips=True)
def _convolution_kernel(writer: Writer, launch: Launch) -> None:
    x, y = launch.inputs
    out = launch.outputs[0]
    images, gradients = as_images(writer, x, "full"), as_images(writer, y, "full")
    first, last = writer.strip(out)
    if _kernel_by_winograd(launch):
        above, left = (before for before, _ in launch.attributes["padding"])
        whole = writer.view(out, "full")
        writer.line(f"winograd_kernel({images}, {gradients}, {first}, {last}, {whole}, ({above}, {left}), scratch)")
        return
    geometry = geometry_of(launch.attributes["kernel"], launch.attributes, x.shape[1:-1])
    filters = out.shape[-1]
    rows = f"window1({writer.view(out, 'full')}, {first} * {filters}, ({last} - {first}) * {filters})"
    several, block = blocks_of(math.prod(y.shape[1:-2]), y.shape[-2])
    blocks = f"{several}, {block}, scratch"
    writer.line(_call(launch, f"{images}, {gradients}, {first}, {last}, {rows}", geometry, blocks))


@emits("kernel_by_example", calls=(kernel_by_example,), scratch=_kernel_scratch, rows=True)
def _kernel_by_example(writer: Writer, launch: Launch) -> None:
    x, y = launch.inputs
    part = part_of(launch)
    arrays = f"{as_images(writer, x, part)}, {as_images(writer, y, part)}, {writer.view(launch.outputs[0], part)}"
    geometry = geometry_of(launch.attributes["kernel"], launch.attributes, x.shape[1:-1])
    several, block = blocks_of(math.prod(y.shape[1:-2]), y.shape[-2])
    writer.line(_call(launch, arrays, geometry, f"{several}, {block}, scratch"))
