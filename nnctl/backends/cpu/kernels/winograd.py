"""Convolution by 3×3 taps with 4 multiplications for 9: minimal filtering, F(2×2, 3×3) of Winograd.

Tiles of 2×2 positions are read from 4×4 pixels. Along each axis, with pixels d and taps g,

    y = Aᵀ((Gg) ∘ (Bᵀd)),   Bᵀd = (d₀−d₂, d₁+d₂, d₂−d₁, d₁−d₃),   Aᵀm = (m₀+m₁+m₂, m₁−m₂−m₃),
    Gg = (g₀, (g₀+g₁+g₂)/2, (g₀−g₁+g₂)/2, g₂)

(Lavin and Gray 2016). What is multiplied are 16 numbers of each tile and channel with 16 of each channel and filter:
16 products of matrices, a row a tile. A row's sums hang on its tile alone, so no bit depends on how tiles are shared.

Images as in `windows`.
"""

from __future__ import annotations

from typing import Any

from nnctl.backends.cpu.codegen.intrinsics import gemm, pack, packed_product, window1
from nnctl.backends.cpu.codegen.mathematics import F
from nnctl.backends.cpu.compiler.marks import apart, compiled, independent
from nnctl.backends.cpu.gemm.product import packed_size, product_scratch

_BLOCK, _LEAST_TILES = 8192, 64
"""Channels and filters of the tiles that are multiplied together: 16 numbers for each stay in the second cache; and
tiles that are worth reading what they are multiplied with."""
_LINE = 16
"""Floats between one of the 16 numbers and the next beside those of all tiles: else all would want the same lines of
the first cache."""
_TILES = 8
"""Tiles of which there is a multiple: the rows of a product's largest tile. Threads have multiples of so many channels
of a kernel's gradient, too."""


@compiled
def tiles_of(channels: Any, filters: Any) -> Any:
    """Tiles that are multiplied together."""
    return max(_LEAST_TILES, _BLOCK // (channels + filters) // _TILES * _TILES)


@compiled
def _place_of(tile: Any, down: Any, beside: Any) -> Any:
    """(image, row, column) of a tile."""
    image, place = tile // (down * beside), tile % (down * beside)
    return image, place // beside, place % beside


@compiled
def _next_place(image: Any, row: Any, column: Any, down: Any, beside: Any) -> Any:
    """Those of the tile behind it, without a division."""
    if column + 1 < beside:
        return image, row, column + 1
    if row + 1 < down:
        return image, row + 1, 0
    return image + 1, 0, 0


def winograd_scratch(channels: int, filters: int) -> int:
    """Floats that `winograd` needs."""
    around = max(16 * (tiles_of(channels, filters) * (channels + filters) + 2 * _LINE), 4 * channels * filters)
    floats: int = 16 * packed_size(filters, channels) + around + 16 * max(channels, filters)
    return floats


@compiled
def _of_pixels(a: Any, b: Any, c: Any, d: Any) -> Any:
    return a - c, b + c, c - b, b - d


@compiled
def _of_products(a: Any, b: Any, c: Any, d: Any) -> Any:
    return a + b + c, b - c - d


@compiled
def _of_taps(a: Any, b: Any, c: Any) -> Any:
    middle = F(0.5) * (a + c)
    return a, middle + F(0.5) * b, middle - F(0.5) * b, c


@apart
def _pixels_transformed(x: Any, line: Any, pixel: Any, channels: Any, v: Any, apart: Any) -> None:
    """16 numbers of each channel, `apart` from one another in v, from 4×4 pixels; line, pixel: from one to the next."""
    p, q, r = pixel, 2 * pixel, 3 * pixel
    k, l, m = line, 2 * line, 3 * line  # noqa: E741
    for c in independent(channels):
        a0, a1, a2, a3 = _of_pixels(x[c], x[k + c], x[l + c], x[m + c])
        b0, b1, b2, b3 = _of_pixels(x[p + c], x[k + p + c], x[l + p + c], x[m + p + c])
        c0, c1, c2, c3 = _of_pixels(x[q + c], x[k + q + c], x[l + q + c], x[m + q + c])
        d0, d1, d2, d3 = _of_pixels(x[r + c], x[k + r + c], x[l + r + c], x[m + r + c])
        v[c], v[apart + c], v[2 * apart + c], v[3 * apart + c] = _of_pixels(a0, b0, c0, d0)
        v[4 * apart + c], v[5 * apart + c], v[6 * apart + c], v[7 * apart + c] = _of_pixels(a1, b1, c1, d1)
        v[8 * apart + c], v[9 * apart + c], v[10 * apart + c], v[11 * apart + c] = _of_pixels(a2, b2, c2, d2)
        v[12 * apart + c], v[13 * apart + c], v[14 * apart + c], v[15 * apart + c] = _of_pixels(a3, b3, c3, d3)


@apart
def _products_transformed(m: Any, apart: Any, y: Any, line: Any, filters: Any) -> None:
    """2×2 positions of each filter, whose rows are a line apart, from 16 products."""
    for f in independent(filters):
        a0, a1 = _of_products(m[f], m[4 * apart + f], m[8 * apart + f], m[12 * apart + f])
        b0, b1 = _of_products(m[apart + f], m[5 * apart + f], m[9 * apart + f], m[13 * apart + f])
        c0, c1 = _of_products(m[2 * apart + f], m[6 * apart + f], m[10 * apart + f], m[14 * apart + f])
        d0, d1 = _of_products(m[3 * apart + f], m[7 * apart + f], m[11 * apart + f], m[15 * apart + f])
        y[f], y[filters + f] = _of_products(a0, b0, c0, d0)
        y[line + f], y[line + filters + f] = _of_products(a1, b1, c1, d1)


@apart
def _taps_transformed(w: Any, size: Any, back: Any, packed: Any, apart: Any, n: Any, k: Any, scratch: Any) -> None:
    """16 matrices of k rows and n columns, packed `apart` from one another, from the taps, of `size` numbers each.

    back: whether the taps are turned by half a circle, and each is transposed.
    """
    ends = 8 * size if back == 1 else 0
    step = -size if back == 1 else size
    for i in range(4):
        for e in independent(size):
            a, b, c = ends + e, ends + step + e, ends + 2 * step + e
            down = 3 * step
            a0, a1, a2, a3 = _of_taps(w[a], w[a + down], w[a + 2 * down])
            b0, b1, b2, b3 = _of_taps(w[b], w[b + down], w[b + 2 * down])
            c0, c1, c2, c3 = _of_taps(w[c], w[c + down], w[c + 2 * down])
            first = a0 if i == 0 else (a1 if i == 1 else (a2 if i == 2 else a3))
            second = b0 if i == 0 else (b1 if i == 1 else (b2 if i == 2 else b3))
            third = c0 if i == 0 else (c1 if i == 1 else (c2 if i == 2 else c3))
            scratch[e], scratch[size + e], scratch[2 * size + e], scratch[3 * size + e] = _of_taps(first, second, third)
        for j in range(4):
            pack(
                back, n, k, window1(scratch, j * size, size), k if back == 1 else n,
                window1(packed, (4 * i + j) * apart, apart),
            )  # fmt: skip


@apart
def _copied(x: Any, n: Any, row: Any, column: Any, size: Any, first: Any, count: Any, patch: Any) -> None:
    """patch ← some channels of size·size pixels of an image from a row and column on, zeros where they lie outside."""
    _, height, width, _ = x.shape
    for a in range(size):
        for b in range(size):
            i, j, start = row + a, column + b, (size * a + b) * count
            if i >= 0 and i < height and j >= 0 and j < width:
                for c in independent(count):
                    patch[start + c] = x[n, i, j, first + c]
            else:
                for c in independent(count):
                    patch[start + c] = F(0.0)


@apart
def _read(x: Any, first: Any, count: Any, begin: Any, tiles: Any, sides: Any, v: Any, apart: Any, patch: Any) -> None:
    """Some channels of tiles from `begin` on, transformed.

    sides: the tuple (tiles above one another, beside one another, padding above, to the left).
    """
    _, height, width, channels = x.shape
    down, beside, top, left = sides
    flat = x.reshape(x.size)
    n, row, column = _place_of(begin, down, beside)
    for t in range(tiles):
        i, j = 2 * row - top, 2 * column - left
        target = window1(v, t * count, v.size - t * count)
        if i >= 0 and i + 4 <= height and j >= 0 and j + 4 <= width:
            start = ((n * height + i) * width + j) * channels + first
            _pixels_transformed(
                window1(flat, start, flat.size - start), width * channels, channels, count, target, apart
            )
        else:
            _copied(x, n, i, j, 4, first, count, patch)
            _pixels_transformed(patch, 4 * count, count, count, target, apart)
        n, row, column = _next_place(n, row, column, down, beside)


@compiled
def winograd(x: Any, w: Any, out: Any, padding: Any, back: Any, width: Any, scratch: Any) -> None:
    """out ← x * w for each image, w flat; where `back` is 1, what that does to the cotangent x, out the images.

    padding: the convolution's, the tuple (above, to the left). width: of a panel of a packed matrix.
    """
    images, _, _, channels = x.shape
    _, rows, columns, filters = out.shape
    top, left = padding
    if back == 1:
        top, left = 2 - top, 2 - left
    apart = (filters + width - 1) // width * width * channels
    packed = window1(scratch, 0, 16 * apart)
    around = window1(scratch, 16 * apart, scratch.size - 16 * apart)
    _taps_transformed(w, channels * filters, back, packed, apart, filters, channels, around)
    together = tiles_of(channels, filters)
    read, made = together * channels + _LINE, together * filters + _LINE
    v, m = window1(around, 0, 16 * read), window1(around, 16 * read, 16 * made)
    patch = window1(around, 16 * (read + made), around.size - 16 * (read + made))
    down, beside = (rows + 1) // 2, (columns + 1) // 2
    flat_out = out.reshape(out.size)
    count = images * down * beside
    for begin in range(0, count, together):
        tiles = min(together, count - begin)
        _read(x, 0, channels, begin, tiles, (down, beside, top, left), v, read, patch)
        for q in range(16):
            packed_product(
                tiles, filters, channels, window1(v, q * read, read), channels, window1(packed, q * apart, apart),
                F(0.0), window1(m, q * made, made), filters,
            )  # fmt: skip
        n, row, column = _place_of(begin, down, beside)
        for t in range(tiles):
            i, j = 2 * row, 2 * column
            source = window1(m, t * filters, m.size - t * filters)
            start = ((n * rows + i) * columns + j) * filters
            if i + 2 <= rows and j + 2 <= columns:
                _products_transformed(
                    source, made, window1(flat_out, start, flat_out.size - start), columns * filters, filters
                )
            else:
                _products_transformed(source, made, patch, 2 * filters, filters)
                for a in range(min(2, rows - i)):
                    for b in range(min(2, columns - j)):
                        for f in independent(filters):
                            out[n, i + a, j + b, f] = patch[(2 * a + b) * filters + f]
            n, row, column = _next_place(n, row, column, down, beside)


@compiled
def _channel_at(row: Any, channels: Any) -> Any:
    """The channel at which a thread's part of a kernel's gradient is cut, given the row at which strips are cut."""
    return channels if row == 9 * channels else row // (9 * _TILES) * _TILES


@compiled
def _of_pair(a: Any, b: Any) -> Any:
    return a, F(0.5) * (a + b), F(0.5) * (a - b), b


@compiled
def _of_sums(a: Any, b: Any, c: Any, d: Any) -> Any:
    return a + b + c, b - c, b + c - d


@apart
def _positions_transformed(y: Any, line: Any, filters: Any, z: Any, apart: Any) -> None:
    """16 numbers of each filter, `apart` from one another in z, from 2×2 positions whose rows are a line apart."""
    for f in independent(filters):
        a0, a1, a2, a3 = _of_pair(y[f], y[line + f])
        b0, b1, b2, b3 = _of_pair(y[filters + f], y[line + filters + f])
        z[f], z[apart + f], z[2 * apart + f], z[3 * apart + f] = _of_pair(a0, b0)
        z[4 * apart + f], z[5 * apart + f], z[6 * apart + f], z[7 * apart + f] = _of_pair(a1, b1)
        z[8 * apart + f], z[9 * apart + f], z[10 * apart + f], z[11 * apart + f] = _of_pair(a2, b2)
        z[12 * apart + f], z[13 * apart + f], z[14 * apart + f], z[15 * apart + f] = _of_pair(a3, b3)


@apart
def _sums_transformed(u: Any, count: Any, numbers: Any, out: Any, apart: Any) -> None:
    """9 taps of so many numbers, `apart` from one another in out, from 16 sums of each, `count` apart in u."""
    for e in independent(numbers):
        a0, a1, a2 = _of_sums(u[e], u[4 * count + e], u[8 * count + e], u[12 * count + e])
        b0, b1, b2 = _of_sums(u[count + e], u[5 * count + e], u[9 * count + e], u[13 * count + e])
        c0, c1, c2 = _of_sums(u[2 * count + e], u[6 * count + e], u[10 * count + e], u[14 * count + e])
        d0, d1, d2 = _of_sums(u[3 * count + e], u[7 * count + e], u[11 * count + e], u[15 * count + e])
        out[e], out[apart + e], out[2 * apart + e] = _of_sums(a0, b0, c0, d0)
        out[3 * apart + e], out[4 * apart + e], out[5 * apart + e] = _of_sums(a1, b1, c1, d1)
        out[6 * apart + e], out[7 * apart + e], out[8 * apart + e] = _of_sums(a2, b2, c2, d2)


@compiled
def winograd_kernel(x: Any, y: Any, first: Any, last: Any, out: Any, padding: Any, scratch: Any) -> None:
    """Some channels of ∂C/∂w from all images, by F(3×3, 2×2): of a matrix of them, those at rows first … last − 1.

    y: ∂C/∂(x * w). out: all of ∂C/∂w, flat. Here Aᵀm = (m₀+m₁+m₂, m₁−m₂, m₁+m₂−m₃), and of two positions
    Gg = (g₀, (g₀+g₁)/2, (g₀−g₁)/2, g₁).
    """
    _, _, _, channels = x.shape
    images, rows, columns, filters = y.shape
    top, left = padding
    begin_channel = _channel_at(first, channels)
    made = _channel_at(last, channels) - begin_channel
    if made <= 0:
        return
    together = tiles_of(channels, filters)
    read, positions, size = together * made + _LINE, together * filters + _LINE, made * filters + _LINE
    v, z = window1(scratch, 0, 16 * read), window1(scratch, 16 * read, 16 * positions)
    rest = 16 * (read + positions)
    u = window1(scratch, rest, 16 * size)
    rest += 16 * size
    patch = window1(scratch, rest, 16 * max(channels, filters))
    rest += 16 * max(channels, filters)
    buffer = window1(scratch, rest, scratch.size - rest)
    down, beside = (rows + 1) // 2, (columns + 1) // 2
    flat_y = y.reshape(y.size)
    count = images * down * beside
    for begin in range(0, count, together):
        tiles = min(together, count - begin)
        _read(x, begin_channel, made, begin, tiles, (down, beside, top, left), v, read, patch)
        n, row, column = _place_of(begin, down, beside)
        for t in range(tiles):
            i, j = 2 * row, 2 * column
            target = window1(z, t * filters, z.size - t * filters)
            if i + 2 <= rows and j + 2 <= columns:
                start = ((n * rows + i) * columns + j) * filters
                _positions_transformed(
                    window1(flat_y, start, flat_y.size - start), columns * filters, filters, target, positions
                )
            else:
                _copied(y, n, i, j, 2, 0, filters, patch)
                _positions_transformed(patch, 2 * filters, filters, target, positions)
            n, row, column = _next_place(n, row, column, down, beside)
        for q in range(16):
            gemm(
                1, 0, made, filters, tiles, F(1.0), window1(v, q * read, read), made,
                window1(z, q * positions, positions), filters, F(0.0) if begin == 0 else F(1.0),
                window1(u, q * size, size), filters, buffer,
            )  # fmt: skip
    target = begin_channel * filters
    _sums_transformed(u, size, made * filters, window1(out, target, out.size - target), channels * filters)


def winograd_kernel_scratch(channels: int, filters: int) -> int:
    """Floats that `winograd_kernel` needs."""
    tiles = tiles_of(channels, filters)
    numbers = tiles * (channels + filters) + channels * filters + max(channels, filters) + 3 * _LINE
    floats: int = 16 * numbers + product_scratch(channels, tiles, transposed=True)
    return floats
