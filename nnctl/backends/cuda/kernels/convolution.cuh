// Convolution, its transpose and the gradient of its kernel as products of matrices that are never written down: what
// an element of one is, is found where it is read (implicit GEMM).
//
// With m for a position (image, row, column), k for an input (place of the window, channel) and X(m, k) for what the
// window at m has there, 0 where that is outside the picture:
//
//     convolution        y(m, f) = Σ_k X(m, k)·w(k, f)
//     convolution_kernel w(k, f) = Σ_m X(m, k)·y(m, f)
//
// The transpose is a convolution of y by steps of one: pixels of x that lie a stride apart meet the same places of the
// window, so they are made together, as one class among stride·stride, and nothing is multiplied by zeros between.
//
// A convolution of one group may have an end, see ends.cuh. Its transpose has no registers left for one.
//
// A sum may be split among blocks: then its parts lie one behind the other, and `add_up` of parts.cu adds them, in
// order.
#ifndef NNCTL_CONVOLUTION
#define NNCTL_CONVOLUTION

// Whatever is so far out is outside every picture, and stays there when another of its kind is added.
#define FAR (-(1 << 30))
// Panels whose steps' windows are kept: those that are asked for and the next one, a power of two.
#define SPOTTED 4

// Where a block is: which tile of which group's product, which part of the sum.
struct Turn {
    int row, column, group, part;
};

template <class T> DEVICE Turn turn_of(Block block, int rows, int columns, int groups) {
    int along = (columns + T::COLUMNS - 1) / T::COLUMNS, tiles = (rows + T::ROWS - 1) / T::ROWS * along;
    int tile = block.index % tiles, rest = block.index / tiles;
    return Turn{tile / along * T::ROWS, tile % along * T::COLUMNS, rest % groups, rest / groups};
}

// -- sources: what the elements of a matrix are ------------------------------------------

// X of a picture (…, height, width, channels): `spot` is the window at a position, `place` is what it reads of it.
struct Windows {
    const float* first;
    int height, width, channels, down, across, top, left, spread_down, spread_across, positions, end;
    Divisor of_image, of_row, of_place, of_window_row;

    struct __align__(16) Part {
        int offset, i, j;
    };
    static constexpr bool NEAR = true;

    MEMBER Part spot(int m) const {
        int image = m / of_image, inside = m - image * of_image.by;
        int row = inside / of_row, column = inside - row * of_row.by;
        int i = row * down - top, j = column * across - left;
        int offset = ((image * height + i) * width + j) * channels;
        return m < positions ? Part{offset, i, j} : Part{0, FAR, FAR};
    }

    MEMBER Part place(int k) const {
        int number = k / of_place, channel = k - number * of_place.by;
        int a = number / of_window_row, b = number - a * of_window_row.by;
        int i = a * spread_down, j = b * spread_across;
        return k < end ? Part{(i * width + j) * channels + channel, i, j} : Part{0, FAR, FAR};
    }

    MEMBER int offset(Part one, Part other) const {
        bool inside = unsigned(one.i + other.i) < unsigned(height) && unsigned(one.j + other.j) < unsigned(width);
        return inside ? one.offset + other.offset : FAR;
    }
};

// The windows of positions along lines, their inputs along the depth.
struct InputsOfPositions : Windows {
    MEMBER Part line(int m) const { return spot(m); }
    MEMBER Part step(int k) const { return place(k); }
};

// The same matrix with its axes exchanged. spots: of the steps of SPOTTED panels in turn, `depth` each.
struct PositionsOfInputs : Windows {
    Part* spots;
    int depth;

    MEMBER Part line(int k) const { return place(k); }
    MEMBER Part step(int m) const { return spots[m & (SPOTTED * depth - 1)]; }
    MEMBER void prepare(int m) const {
        int own = m + int(threadIdx.x);
        if (int(threadIdx.x) < depth) spots[own & (SPOTTED * depth - 1)] = spot(own);
    }
};

// A matrix as it lies in memory, `ahead` elements from row to row, its columns along lines. Offsets; below 0: outside.
struct Rows {
    const float* first;
    int ahead, columns, end;
    typedef int Part;
    static constexpr bool NEAR = false;

    MEMBER int line(int n) const { return n < columns ? n : FAR; }
    MEMBER int step(int k) const { return k < end ? k * ahead : FAR; }
    MEMBER int offset(int one, int other) const { return one + other; }
    MEMBER void prepare(int) const {}
};

// w with its channels along lines, and along the depth the places of one class and the filters.
struct TurnedKernel : Rows {
    int period_down, period_across;
    Divisor of_place, of_window_row;

    MEMBER int line(int c) const { return c < columns ? c * ahead : FAR; }
    MEMBER int step(int k) const {
        int number = k / of_place, filter = k - number * of_place.by;
        int a = number / of_window_row, b = number - a * of_window_row.by;
        return k < end ? a * period_down + b * period_across + filter : FAR;
    }
};

// Where a tile of the result goes. `row`: the offset of the tile's row i, below 0 where there is none.
struct Straight {
    float* to;
    End end;
    int rows, columns, ahead, first;

    MEMBER int row(int i) const { return first + i < rows ? (first + i) * ahead : FAR; }
};

// Rows of one class of pixels, a stride apart.
struct Strided {
    float* to;
    End end;
    int rows, columns, ahead, first, height, width, top, left, down, across;
    Divisor of_image, of_row;

    MEMBER int row(int i) const {
        int m = first + i, image = m / of_image, inside = m - image * of_image.by;
        int u = inside / of_row, v = inside - u * of_row.by;
        int pixel = (image * height + top + u * down) * width + left + v * across;
        return m < rows ? pixel * ahead : FAR;
    }
};

// -- the three directions -----------------------------------------------------------------

DEVICE Windows windows_of(const float* x, Geometry g, int group) {
    int of_image = g.rows * g.columns, each = g.channels / g.groups, inputs = g.kh * g.kw * each;
    return Windows{x + group * each, g.height, g.width, g.channels, g.down, g.across, g.top, g.left,
                   g.spread_down, g.spread_across, g.images * of_image, inputs,
                   divisor(of_image, g.images * of_image), divisor(g.columns, of_image),
                   divisor(each, inputs), divisor(g.kw, g.kh * g.kw)};
}

template <class T>
DEVICE void convolve(Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way,
                     Geometry g) {
    int positions = g.images * g.rows * g.columns, each = g.channels / g.groups, filters = g.filters / g.groups;
    int depth = g.kh * g.kw * each, part = part_of(depth, T::DEPTH, parts);
    Turn turn = turn_of<T>(block, positions, filters, g.groups);
    InputsOfPositions inputs{windows_of(x, g, turn.group)};
    Rows kernel{w + turn.group * filters, g.filters, filters, depth};
    float* to = y + (long long)(turn.part) * positions * g.filters + turn.group * filters;
    tile<T>(
        block.shared,
        AlongSteps<T::ROWS, T::DEPTH, T::PRECISION, InputsOfPositions>(inputs, each % 4 == 0, turn.row),
        AlongLines<T::COLUMNS, T::DEPTH, T::PRECISION, Rows>(kernel, filters % 4 == 0, turn.column), turn.part * part,
        min(depth, (turn.part + 1) * part),
        Straight{to, End{beside, 1.0f, 0.0f, way}, positions, filters, g.filters, turn.row}, turn.column,
        filters % 4 == 0);
}

template <class T>
DEVICE void convolve_to_kernel(Block block, const float* x, const float* y, float* w, int parts, Geometry g) {
    int positions = g.images * g.rows * g.columns, each = g.channels / g.groups, filters = g.filters / g.groups;
    int inputs = g.kh * g.kw * each, part = part_of(positions, T::DEPTH, parts);
    Turn turn = turn_of<T>(block, inputs, filters, g.groups);
    Windows::Part* spots = reinterpret_cast<Windows::Part*>(block.shared);
    PositionsOfInputs windows{windows_of(x, g, turn.group), spots, T::DEPTH};
    Rows gradients{y + turn.group * filters, g.filters, filters, positions};
    float* to = w + (long long)(turn.part) * inputs * g.filters + turn.group * filters;
    tile<T>(
        block.shared + SPOTTED * T::DEPTH * int(sizeof(Windows::Part) / 4),
        AlongLines<T::ROWS, T::DEPTH, T::PRECISION, PositionsOfInputs>(windows, each % 4 == 0, turn.row),
        AlongLines<T::COLUMNS, T::DEPTH, T::PRECISION, Rows>(gradients, filters % 4 == 0, turn.column), turn.part * part,
        min(positions, (turn.part + 1) * part), Straight{to, End{}, inputs, filters, g.filters, turn.row}, turn.column,
        filters % 4 == 0);
}

// One class of an axis: pixels first, first + stride, … (`count` of them), and what meets them: places `place`,
// place + period, … (`places` of them), of which the first reads position `start` + n at pixel number n, each further
// one `spread` positions before.
struct Class {
    int first, count, place, period, places, start, spread;
};

DEVICE Class class_of(int first, int length, int stride, int before, int size, int dilation) {
    int rest = (first + before) % stride, place = 0, period = 1;
    while (place < size && place * dilation % stride != rest) ++place;
    while (period * dilation % stride != 0) ++period;
    int start = (first + before) / stride - (place * dilation - rest) / stride;
    return Class{first, first < length ? (length - 1 - first) / stride + 1 : 0, place, period,
                 place < size ? (size - 1 - place) / period + 1 : 0, start, period * dilation / stride};
}

template <class T>
DEVICE void convolve_transposed(Block block, const float* y, const float* w, float* x, int parts, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups;
    int most = g.images * ((g.height + g.down - 1) / g.down) * ((g.width + g.across - 1) / g.across);
    Turn turn = turn_of<T>(block, most, each, g.groups * g.down * g.across);
    int number = turn.group / g.groups, group = turn.group % g.groups;
    Class v = class_of(number / g.across, g.height, g.down, g.top, g.kh, g.spread_down);
    Class h = class_of(number % g.across, g.width, g.across, g.left, g.kw, g.spread_across);
    int of_image = v.count * h.count, pixels = g.images * of_image, depth = v.places * h.places * filters;
    if (turn.row >= pixels) return;  // the whole block: this class has fewer pixels than others
    int part = part_of(depth, T::DEPTH, parts);
    Divisor of_place = divisor(filters, depth), of_window_row = divisor(h.places, v.places * h.places);
    Divisor of_class = divisor(of_image, pixels), of_row = divisor(h.count, of_image);
    InputsOfPositions gradients{{y + group * filters, g.rows, g.columns, g.filters, 1, 1, -v.start, -h.start, -v.spread,
                                 -h.spread, pixels, depth, of_class, of_row, of_place, of_window_row}};
    int ahead = each * g.filters;
    TurnedKernel kernel{{w + (v.place * g.kw + h.place) * ahead + group * filters, g.filters, each, depth},
                        v.period * g.kw * ahead, h.period * ahead, of_place, of_window_row};
    float* to = x + (long long)(turn.part) * g.images * g.height * g.width * g.channels + group * each;
    tile<T>(
        block.shared,
        AlongSteps<T::ROWS, T::DEPTH, T::PRECISION, InputsOfPositions>(gradients, filters % 4 == 0, turn.row),
        AlongSteps<T::COLUMNS, T::DEPTH, T::PRECISION, TurnedKernel>(kernel, filters % 4 == 0, turn.column), turn.part * part,
        min(depth, (turn.part + 1) * part),
        Strided{to, End{}, pixels, each, g.channels, turn.row, g.height, g.width, v.first, h.first, g.down, g.across,
                of_class, of_row},
        turn.column, each % 4 == 0);
}

#endif
