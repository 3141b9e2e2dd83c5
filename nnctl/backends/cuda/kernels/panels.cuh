// Tiles of a product of two matrices whose elements are found where they are read.
//
// A block makes one tile from panels of the matrices in shared memory, DEPTH of the sum at a time. While it multiplies
// one pair of panels the next is under way to registers and goes to the other half of shared memory: one barrier a
// pair. Where a tile is too small for all warps, groups of them take slices of the panels' depth, and their sums are
// added in the order of slices.
//
// A matrix is a source: `line(n)` and `step(k)` say what there is to know of a line (a row of the left matrix, a column
// of the right one) and of a step of the sum; `at(line, step)` and `four_at(line, step)` read an element and four
// neighbours. `prepare(k)` is called before the panel at k is read, a barrier between: what is costly to find of its
// steps, one thread finds for all.
#ifndef NNCTL_PANELS
#define NNCTL_PANELS

#define MEMBER __device__ __forceinline__

// Floats behind each row of a panel, so that those written together lie in different banks.
#define PANEL_PAD 4

// A thread's share of DEPTH × LINES of a matrix whose neighbours in memory lie along the depth. vector: four at once.
template <int LINES, int DEPTH, class Source> struct AlongDepth {
    static constexpr int EACH = LINES * DEPTH / THREADS, FOURS = EACH < 4 ? 1 : EACH / 4;
    Source source;
    bool vector;
    int start, depth, first, apart;
    float held[EACH < 4 ? 4 : EACH];

    MEMBER AlongDepth(Source from, bool by_fours, int line) : source(from), vector(by_fours), start(line) {
        int wide = vector ? 4 : 1;
        depth = int(threadIdx.x) % (DEPTH / wide) * wide;
        first = int(threadIdx.x) / (DEPTH / wide);
        apart = THREADS / (DEPTH / wide);
    }

    MEMBER void fetch(int k) {
        typename Source::Part step = source.step(k + depth);
        if (vector) {
#pragma unroll
            for (int e = 0; e < FOURS; ++e) {
                float4 four = source.four_at(source.line(start + first + e * apart), step);
                held[4 * e] = four.x;
                held[4 * e + 1] = four.y;
                held[4 * e + 2] = four.z;
                held[4 * e + 3] = four.w;
            }
        } else {
#pragma unroll
            for (int e = 0; e < EACH; ++e) held[e] = source.at(source.line(start + first + e * apart), step);
        }
    }

    MEMBER void put(float* panel) const {
        float* to = panel + depth * (LINES + PANEL_PAD) + first;
        if (vector) {
#pragma unroll
            for (int e = 0; e < FOURS; ++e)
                if (EACH >= 4 || first < LINES)
#pragma unroll
                    for (int j = 0; j < 4; ++j) to[j * (LINES + PANEL_PAD) + e * apart] = held[4 * e + j];
        } else {
#pragma unroll
            for (int e = 0; e < EACH; ++e) to[e * apart] = held[e];
        }
    }
};

// The same for panels whose neighbours in memory lie along lines.
template <int LINES, int DEPTH, class Source> struct AlongLines {
    static constexpr int EACH = LINES * DEPTH / THREADS, FOURS = EACH < 4 ? 1 : EACH / 4;
    Source source;
    bool vector;
    int first, at, apart;
    typename Source::Part line;
    float held[EACH < 4 ? 4 : EACH];

    MEMBER AlongLines(Source from, bool by_fours, int start) : source(from), vector(by_fours) {
        int wide = vector ? 4 : 1;
        at = int(threadIdx.x) % (LINES / wide) * wide;
        first = int(threadIdx.x) / (LINES / wide);
        apart = THREADS / (LINES / wide);
        line = source.line(start + at);
    }

    MEMBER void fetch(int k) {
        if (vector) {
#pragma unroll
            for (int e = 0; e < FOURS; ++e) {
                float4 four = source.four_at(line, source.step(k + first + e * apart));
                held[4 * e] = four.x;
                held[4 * e + 1] = four.y;
                held[4 * e + 2] = four.z;
                held[4 * e + 3] = four.w;
            }
        } else {
#pragma unroll
            for (int e = 0; e < EACH; ++e) held[e] = source.at(line, source.step(k + first + e * apart));
        }
    }

    MEMBER void put(float* panel) const {
        float* to = panel + first * (LINES + PANEL_PAD) + at;
        if (vector) {
#pragma unroll
            for (int e = 0; e < FOURS; ++e)
                if (EACH >= 4 || first < DEPTH)
                    *reinterpret_cast<float4*>(to + e * apart * (LINES + PANEL_PAD)) =
                        make_float4(held[4 * e], held[4 * e + 1], held[4 * e + 2], held[4 * e + 3]);
        } else {
#pragma unroll
            for (int e = 0; e < EACH; ++e) to[e * apart * (LINES + PANEL_PAD)] = held[e];
        }
    }
};

DEVICE float entry_of(float4 x, int i) { return i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w; }

// The tile Σ of k from `begin` to `end` of left(·, k)·right(k, ·). A thread has TALL × 4 of it: four rows each 16
// apart, so that a warp reads few banks, each once. column: the tile's first.
template <int ROWS, int COLUMNS, int DEPTH, int TALL, class Left, class Right, class Result>
DEVICE void panel_product(
    float* shared, Left left, Right right, int begin, int end, Result result, int column, bool vector) {
    const int WARPS_ALONG = COLUMNS / 32, WARPS_DOWN = ROWS / (4 * TALL);
    const int SLICES = THREADS / WARP / (WARPS_ALONG * WARPS_DOWN), THICK = DEPTH / SLICES;
    const int PANEL = DEPTH * (ROWS + PANEL_PAD), BOTH = PANEL + DEPTH * (COLUMNS + PANEL_PAD);
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP, slice = warp / (WARPS_ALONG * WARPS_DOWN);
    int down = warp / WARPS_ALONG % WARPS_DOWN * 4 * TALL + lane / 8 * 4, over = warp % WARPS_ALONG * 32 + lane % 8 * 4;
    float sums[TALL][4];
#pragma unroll
    for (int i = 0; i < TALL; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] = 0.0f;
    left.source.prepare(begin);
    __syncthreads();
    if (begin < end) {
        left.fetch(begin);
        right.fetch(begin);
    }
    float* panels = shared;
    for (int k = begin; k < end; k += DEPTH) {
        left.put(panels);
        right.put(panels + PANEL);
        left.source.prepare(k + DEPTH);
        __syncthreads();
        if (k + DEPTH < end) {
            left.fetch(k + DEPTH);
            right.fetch(k + DEPTH);
        }
#pragma unroll
        for (int d = 0; d < THICK; ++d) {
            const float* of_left = panels + (slice * THICK + d) * (ROWS + PANEL_PAD) + down;
            const float* of_right = panels + PANEL + (slice * THICK + d) * (COLUMNS + PANEL_PAD) + over;
            float4 a[TALL / 4], b = *reinterpret_cast<const float4*>(of_right);
#pragma unroll
            for (int g = 0; g < TALL / 4; ++g) a[g] = *reinterpret_cast<const float4*>(of_left + 16 * g);
#pragma unroll
            for (int i = 0; i < TALL; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(entry_of(a[i / 4], i % 4), entry_of(b, j), sums[i][j]);
        }
        panels = panels == shared ? shared + BOTH : shared;
    }
    if constexpr (SLICES > 1) {
        __syncthreads();
#pragma unroll
        for (int i = 0; i < TALL; ++i)
            *reinterpret_cast<float4*>(shared + (slice * ROWS + down + i / 4 * 16 + i % 4) * COLUMNS + over) =
                make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
        __syncthreads();
        for (int e = threadIdx.x; e < ROWS * COLUMNS; e += THREADS) {
            float sum = shared[e];
            for (int s = 1; s < SLICES; ++s) sum += shared[s * ROWS * COLUMNS + e];
            int offset = result.row(e / COLUMNS), at = column + e % COLUMNS;
            if (offset >= 0 && at < result.columns) result.to[offset + at] = sum;
        }
    } else {
#pragma unroll
        for (int i = 0; i < TALL; ++i) {
            int offset = result.row(down + i / 4 * 16 + i % 4), at = column + over;
            if (offset < 0) continue;
            float* to = result.to + offset + at;
            if (vector && at < result.columns) {
                *reinterpret_cast<float4*>(to) = make_float4(sums[i][0], sums[i][1], sums[i][2], sums[i][3]);
                continue;
            }
#pragma unroll
            for (int j = 0; j < 4; ++j)
                if (at + j < result.columns) to[j] = sums[i][j];
        }
    }
}

// Floats of the panels of such a tile: behind them a source may keep what it has prepared.
template <int ROWS, int COLUMNS, int DEPTH> DEVICE constexpr int floats_of_panels() {
    return 2 * DEPTH * (ROWS + COLUMNS + 2 * PANEL_PAD);
}

// The part of a sum's `depth` that falls to a block, in whole panels.
DEVICE int part_of(int depth, int panel, int parts) {
    return ((depth + panel - 1) / panel + parts - 1) / parts * panel;
}

#endif
