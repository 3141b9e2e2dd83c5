// Convolutions by steps of one whose windows' pixels a block has in shared memory, once for all places of a window.
//
// A tile is some whole rows of positions. With zeros around it each image has height + kh − 1 rows and width + kw − 1
// columns here, one below the other: those that the tile's windows cover are the block's patch, DEPTH channels at a
// time. Position (row, column) has at place (a, b) of its window the pixel (row + a, column + b) of the patch.
#ifndef NNCTL_PICTURES
#define NNCTL_PICTURES

// Floats from pixel to pixel of a patch of 32 channels: eight neighbours' fours lie in all banks, or four's eights.
#define PIXEL 36
#define PIXEL_ACROSS 40

// What is convolved, (images, height, width, channels) with `apart` floats from pixel to pixel; rows and columns: of
// the result.
struct Picture {
    const float* first;
    int images, height, width, channels, apart, rows, columns, kh, kw, top, left;
};

// w at one place, some channels of it: along lines the filters.
struct KernelAtPlace : Rows {
    const float* whole;
    int depth;

    MEMBER void move(int place, int channel) {
        first = whole + (place * depth + channel) * ahead;
        end = depth - channel;
    }
};

// The same from the last place to the first one, along lines the channels: by which the transpose is a convolution.
struct TurnedAtPlace : Rows {
    const float* whole;
    int depth, places;

    MEMBER int line(int c) const { return c < columns ? c * ahead : FAR; }
    MEMBER int step(int k) const { return k < end ? k : FAR; }
    MEMBER void move(int place, int filter) {
        first = whole + (places - 1 - place) * columns * ahead + filter;
        end = depth - filter;
    }
};

// A block's patch: rows of the images with zeros around them, from that of the first place of position row `line` to
// that of the last place of the last one. APART: floats from pixel to pixel.
template <int APART> struct Patch {
    Picture of;
    int wide, tall, top, end;
    Divisor of_row, of_image;

    // rows: that a patch can have.
    MEMBER Patch(Picture picture, int rows) : of(picture) {
        wide = of.columns + of.kw - 1;
        tall = of.rows + of.kh - 1;
        of_row = divisor(wide, rows * wide);
        of_image = divisor(tall, of.images * tall + rows);
    }

    MEMBER int row_of(int line) const { return line / of.rows * tall + line % of.rows; }

    // To the rows of positions from `line` until `last`.
    MEMBER void move(int line, int last) {
        top = row_of(line);
        end = row_of(last - 1) + of.kh;
    }

    // The pixel at the first place of the window of a position behind the first one of row `line`.
    MEMBER int pixel(int position, int line) const {
        int below = position / of.columns;
        return (row_of(line + below) - top) * wide + position - below * of.columns;
    }

    // 32 channels of `rows` rows, zeros from `end` on.
    MEMBER void request(int channel, int rows, float* to) const {
        for (int n = threadIdx.x; n < rows * wide * 8; n += THREADS) {
            int pixel = n / 8, four = n % 8 * 4, row = pixel / of_row, column = pixel - row * wide - of.left;
            row += top;
            bool inside = row < end && channel + four < of.channels;
            int image = row / of_image;
            row -= image * tall + of.top;
            inside = inside && unsigned(row) < unsigned(of.height) && unsigned(column) < unsigned(of.width);
            int offset = ((image * of.height + row) * of.width + column) * of.apart + channel + four;
            copy_four(to + pixel * APART + four, of.first + (inside ? offset : 0), inside ? 4 : 0, true);
        }
    }

    // Round what this thread has copied.
    MEMBER void round(int rows, float* to) const {
        for (int n = threadIdx.x; n < rows * wide * 8; n += THREADS) round_four<TF32>(to + n / 8 * APART + n % 8 * 4);
    }
};

// The tile of rows `line` … of a picture, by tensor cores. floats: of a patch. Right: of a kernel's panel.
template <class T, class Right>
DEVICE void picture_tile(float* shared, Picture picture, Right right, int line, int floats, Straight result, int column,
                         bool vector) {
    typedef typename Right::Layout OfRight;
    typedef FragmentSums<T, OfRight, OfRight> Own;
    const int STAGES = T::STAGES;
    Own own;
    int lines = T::ROWS / picture.columns, places = picture.kh * picture.kw;
    int last = min(line + lines, picture.images * picture.rows);
    Patch<PIXEL> patch(picture, lines + picture.images * picture.kh);
    patch.move(line, last);
    int high = patch.end - patch.top;
    float* patches = shared + STAGES * OfRight::FLOATS;
    int lane = int(threadIdx.x) % WARP, rows[T::HIGH];
#pragma unroll
    for (int h = 0; h < T::HIGH; ++h) {
        int position = own.down + 16 * h + lane % 16;
        rows[h] = patch.pixel(min(position, (last - line) * picture.columns - 1), line) * PIXEL + lane / 16 * 4;
    }
    int asked = 0, asked_channel = 0;
    patch.request(0, high, patches);
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage) {
        if (asked_channel < picture.channels) {
            right.source.move(asked, asked_channel);
            right.request(0, shared + stage * OfRight::FLOATS);
        }
        close_copies();
        if (++asked == places) asked = 0, asked_channel += T::DEPTH;
    }
    int present = 0, next = STAGES - 1;
    for (int channel = 0; channel < picture.channels; channel += T::DEPTH) {
        float* other = patches == shared + STAGES * OfRight::FLOATS ? patches + floats : patches - floats;
        int fragments = min(T::DEPTH, picture.channels - channel + 7) / 8;
        for (int place = 0, a = 0, b = 0; place < places; ++place) {
            await_copies<STAGES - 2>();
            right.round(shared + present * OfRight::FLOATS);
            if (place == 0) patch.round(high, patches);
            __syncthreads();
            if (place == 0 && channel + T::DEPTH < picture.channels) patch.request(channel + T::DEPTH, high, other);
            if (asked_channel < picture.channels) {
                right.source.move(asked, asked_channel);
                right.request(0, shared + next * OfRight::FLOATS);
            }
            close_copies();
            if (++asked == places) asked = 0, asked_channel += T::DEPTH;
            own.add_pixels(patches + (a * patch.wide + b) * PIXEL, rows, shared + present * OfRight::FLOATS, fragments);
            if (++b == picture.kw) b = 0, ++a;
            present = present + 1 == STAGES ? 0 : present + 1;
            next = next + 1 == STAGES ? 0 : next + 1;
        }
        patches = other;
    }
    finish<T>(shared, own, result, column, vector);
}

// A block's tile and group: of so many rows of positions, each `lines` of them.
template <class T> DEVICE Turn rows_of(Block block, int rows, int lines, int columns, int groups) {
    int along = (columns + T::COLUMNS - 1) / T::COLUMNS, tiles = (rows + lines - 1) / lines * along;
    int tile = block.index % tiles;
    return Turn{tile / along * lines, tile % along * T::COLUMNS, block.index / tiles % groups, 0};
}

template <class T>
DEVICE void convolve_picture(Block block, const float* x, const float* w, const float* beside, float* y, int floats,
                             int way, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups, lines = T::ROWS / g.columns;
    Turn turn = rows_of<T>(block, g.images * g.rows, lines, filters, g.groups);
    Picture picture{x + turn.group * each, g.images, g.height, g.width, each, g.channels, g.rows, g.columns, g.kh, g.kw,
                    g.top, g.left};
    KernelAtPlace kernel{{w, g.filters, filters, each}, w + turn.group * filters, each};
    Straight result{y + turn.group * filters, End{beside, 1.0f, 0.0f, way},
                    min(g.images * g.rows, turn.row + lines) * g.columns, filters, g.filters, turn.row * g.columns};
    picture_tile<T>(block.shared, picture,
                    AlongLines<T::COLUMNS, T::DEPTH, T::PRECISION, KernelAtPlace>(kernel, filters % 4 == 0, turn.column),
                    turn.row, floats, result, turn.column, filters % 4 == 0);
}

template <class T>
DEVICE void convolve_picture_transposed(Block block, const float* y, const float* w, float* x, int floats, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups, lines = T::ROWS / g.width;
    Turn turn = rows_of<T>(block, g.images * g.height, lines, each, g.groups);
    Picture picture{y + turn.group * filters, g.images, g.rows, g.columns, filters, g.filters, g.height, g.width, g.kh,
                    g.kw, g.kh - 1 - g.top, g.kw - 1 - g.left};
    TurnedAtPlace kernel{{w, g.filters, each, filters}, w + turn.group * filters, filters, g.kh * g.kw};
    Straight result{x + turn.group * each, End{}, min(g.images * g.height, turn.row + lines) * g.width, each, g.channels,
                    turn.row * g.width};
    picture_tile<T>(block.shared, picture,
                    AlongSteps<T::COLUMNS, T::DEPTH, T::PRECISION, TurnedAtPlace>(kernel, true, turn.column), turn.row,
                    floats, result, turn.column, each % 4 == 0);
}

// -- the gradient of a kernel ----------------------------------------------------------------

// What a block makes: nine places × 32 channels × 32 filters. Warps share channels and filters in halves, and the
// positions, eight at a time, in two slices.
struct Places {
    static constexpr int COUNT = 9, ROWS = COUNT * 32, COLUMNS = 32, SLICES = 2;
};

struct PlaceSums {
    static constexpr int AHEAD = Places::COLUMNS + 8;
    int slice, down, over;
    float sums[Places::COUNT][2][4];

    MEMBER PlaceSums() {
        int warp = threadIdx.x / WARP;
        slice = warp / 4;
        down = warp / 2 % 2 * 16;
        over = warp % 2 * 16;
#pragma unroll
        for (int p = 0; p < Places::COUNT; ++p)
#pragma unroll
            for (int b = 0; b < 2; ++b)
#pragma unroll
                for (int e = 0; e < 4; ++e) sums[p][b][e] = 0.0f;
    }

    // spots: where in the patch the pixels of the first place are. offsets: of places. gradients: of so many positions.
    MEMBER void add(const float* patch, const int* spots, const int* offsets, const float* gradients, int positions) {
        int n = int(threadIdx.x) % WARP / 4, t = int(threadIdx.x) % 4;
        patch += down + n;
        gradients += over + n + t * PIXEL_ACROSS;
#pragma unroll 1
        for (int m = 8 * slice; m < positions; m += 8 * Places::SLICES) {
            const float* early = patch + spots[m + t];
            const float* late = patch + spots[m + t + 4];
            unsigned right[2][2];
#pragma unroll
            for (int b = 0; b < 2; ++b)
#pragma unroll
                for (int r = 0; r < 2; ++r)
                    right[b][r] = __float_as_uint(gradients[(m + 4 * r) * PIXEL_ACROSS + 8 * b]);
#pragma unroll
            for (int p = 0; p < Places::COUNT; ++p) {
                unsigned left[4] = {__float_as_uint(early[offsets[p]]), __float_as_uint(early[offsets[p] + 8]),
                                    __float_as_uint(late[offsets[p]]), __float_as_uint(late[offsets[p] + 8])};
                multiply_tf32(sums[p][0], left, right[0]);
                multiply_tf32(sums[p][1], left, right[1]);
            }
        }
    }

    MEMBER void put(float* slices) const {
        float* to = slices + (slice * Places::ROWS + down + int(threadIdx.x) % WARP / 4) * AHEAD + over;
        to += int(threadIdx.x) % 4 * 2;
#pragma unroll
        for (int p = 0; p < Places::COUNT; ++p)
#pragma unroll
            for (int r = 0; r < 2; ++r)
#pragma unroll
                for (int b = 0; b < 2; ++b) {
                    Pack<float, 2> two = {sums[p][b][2 * r], sums[p][b][2 * r + 1]};
                    put_pack<2>(to + (32 * p + 8 * r) * AHEAD + 8 * b, 0, two);
                }
    }
};

// Rows of w at some places, 32 channels of each.
struct PlaceRows {
    float* to;
    End end;
    int columns, ahead, place, places, channel, channels;

    MEMBER int row(int i) const {
        bool there = place + i / 32 < places && channel + i % 32 < channels;
        return there ? ((place + i / 32) * channels + channel + i % 32) * ahead : FAR;
    }
};

// lines: rows of positions that are read at a time, their positions sixteens. high: rows of a patch of them.
DEVICE void convolve_picture_to_kernel(Block block, const float* x, const float* y, float* w, int parts, int lines,
                                       int high, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups, places = g.kh * g.kw;
    int along = (filters + 31) / 32, deep = (each + 31) / 32, sets = (places + Places::COUNT - 1) / Places::COUNT;
    int tiles = along * deep * sets, tile = block.index % tiles, rest = block.index / tiles;
    int filter = tile % along * 32, channel = tile / along % deep * 32, first = tile / along / deep * Places::COUNT;
    int group = rest % g.groups, part = rest / g.groups, whole = g.images * g.rows;
    int each_part = ((whole + lines - 1) / lines + parts - 1) / parts * lines;
    int line = part * each_part, until = min(whole, line + each_part), positions = lines * g.columns;
    Patch<PIXEL_ACROSS> patch(Picture{x + group * each, g.images, g.height, g.width, each, g.channels, g.rows, g.columns,
                                      g.kh, g.kw, g.top, g.left}, high);
    const float* gradients = y + group * filters + filter;
    int floats = high * patch.wide * PIXEL_ACROSS, stage = floats + positions * (PIXEL_ACROSS + 1);
    int offsets[Places::COUNT];
#pragma unroll
    for (int p = 0; p < Places::COUNT; ++p) {
        int place = min(first + p, places - 1), a = place / g.kw;
        offsets[p] = (a * patch.wide + place - a * g.kw) * PIXEL_ACROSS;
    }
    auto request = [&](float* to, int from) {
        patch.move(from, min(until, from + lines));
        patch.request(channel, high, to);
        int there = min(positions, (until - from) * g.columns);
        for (int n = threadIdx.x; n < positions * 8; n += THREADS) {
            bool inside = n / 8 < there && filter + n % 8 * 4 < filters;
            int offset = inside ? (from * g.columns + n / 8) * g.filters + n % 8 * 4 : 0;
            copy_four(to + floats + n / 8 * PIXEL_ACROSS + n % 8 * 4, gradients + offset, inside ? 4 : 0, true);
        }
        int* spots = reinterpret_cast<int*>(to + floats + positions * PIXEL_ACROSS);
        for (int m = threadIdx.x; m < positions; m += THREADS)
            spots[m] = (m < there ? patch.pixel(m, from) : 0) * PIXEL_ACROSS;
    };
    PlaceSums own;
    float *present = block.shared, *next = block.shared + stage;
    if (line < until) request(present, line);
    close_copies();
    for (; line < until; line += lines) {
        await_copies<0>();
        patch.round(high, present);
        for (int n = threadIdx.x; n < positions * 8; n += THREADS)
            round_four<TF32>(present + floats + n / 8 * PIXEL_ACROSS + n % 8 * 4);
        __syncthreads();
        if (line + lines < until) request(next, line + lines);
        close_copies();
        own.add(present, reinterpret_cast<const int*>(present + floats + positions * PIXEL_ACROSS), offsets,
                present + floats, positions);
        float* other = present;
        present = next;
        next = other;
    }
    float* to = w + (long long)(part) * places * each * g.filters + group * filters;
    finish<Places>(block.shared, own, PlaceRows{to, End{}, filters, g.filters, first, places, channel, each}, filter, true);
}

#endif
