// The gradient of a convolution's kernel from patches of the pictures, for windows that move by steps of one: a block
// reads pixels and gradients of some rows of positions once, for all places of a window.
#ifndef NNCTL_PLACES
#define NNCTL_PLACES

// Floats from pixel to pixel, and from gradients to gradients, of 32 channels: eights of four neighbours lie in all
// banks.
#define PIXEL_ACROSS 40

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
DEVICE void convolve_to_kernel_by_places(Block block, const float* x, const float* y, float* w, int parts, int lines,
                                         int high, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups, places = g.kh * g.kw;
    int along = (filters + 31) / 32, deep = (each + 31) / 32, sets = (places + Places::COUNT - 1) / Places::COUNT;
    int tiles = along * deep * sets, tile = block.index % tiles, rest = block.index / tiles;
    int filter = tile % along * 32, channel = tile / along % deep * 32, first = tile / along / deep * Places::COUNT;
    int group = rest % g.groups, part = rest / g.groups, whole = g.images * g.rows;
    int each_part = ((whole + lines - 1) / lines + parts - 1) / parts * lines;
    int line = part * each_part, until = min(whole, line + each_part), positions = lines * g.columns;
    Patch<PIXEL_ACROSS> patch(Picture{x + group * each, g.images, g.height, g.width, each, g.channels, g.rows, g.columns,
                                      g.kh, g.kw, g.top, g.left});
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
