// Tiles of a product of two matrices, each a block's work.
//
// A block makes its tile from panels of the matrices in shared memory, DEPTH of the sum at a time. While it multiplies
// one pair of panels the next is under way to registers and goes to the other half of shared memory: one barrier a
// pair. The warps lie over the tile; where it is too small for all of them, groups of warps take slices of the
// panels' depth, and their sums are added in the order of slices.
#ifndef NNCTL_TILES
#define NNCTL_TILES

DEVICE float entry_of(float4 x, int i) { return i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w; }

// A thread's sums, by cores. A warp has 4·TALL rows × 32 columns of the tile, and a thread TALL × 4 of those: fours of
// rows 16 apart, so that what a warp reads together lies side by side.
template <int ROWS, int COLUMNS, int DEPTH, int PRECISION> struct Sums {
    static constexpr int TALL = ROWS < 128 ? 4 : 8, WIDE = 4;
    static constexpr int WARPS_ALONG = COLUMNS / 32, WARPS_DOWN = ROWS / (4 * TALL);
    static constexpr int SLICES = THREADS / WARP / (WARPS_ALONG * WARPS_DOWN), THICK = DEPTH / SLICES;
    int slice, down, over;
    float sums[TALL][WIDE];

    MEMBER Sums() {
        int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
        slice = warp / (WARPS_ALONG * WARPS_DOWN);
        down = warp / WARPS_ALONG % WARPS_DOWN * 4 * TALL + lane / 8 * 4;
        over = warp % WARPS_ALONG * 32 + lane % 8 * 4;
#pragma unroll
        for (int i = 0; i < TALL; ++i)
#pragma unroll
            for (int j = 0; j < WIDE; ++j) sums[i][j] = 0.0f;
    }

    template <class Left, class Right> MEMBER void add(const float* left, const float* right) {
#pragma unroll 4
        for (int d = 0; d < THICK; ++d) {
            const float* of_left = left + (slice * THICK + d) * Left::STEP + down;
            float4 a[TALL / 4], b = *reinterpret_cast<const float4*>(right + (slice * THICK + d) * Right::STEP + over);
#pragma unroll
            for (int g = 0; g < TALL / 4; ++g) a[g] = *reinterpret_cast<const float4*>(of_left + 16 * g);
#pragma unroll
            for (int i = 0; i < TALL; ++i)
#pragma unroll
                for (int j = 0; j < WIDE; ++j)
                    sums[i][j] = fmaf(entry_of(a[i / 4], i % 4), entry_of(b, j), sums[i][j]);
        }
    }

    MEMBER int row(int i) const { return down + i / 4 * 16 + i % 4; }
    MEMBER int column(int) const { return over; }
};

// A thread's sums, by tensor cores. A warp has a part of the tile that is HIGH × BROAD fragments of 16 × 8; a lane's
// two neighbours of a row of a fragment are a row of its sums.
template <int ROWS, int COLUMNS, int DEPTH, int PRECISION> struct FragmentSums {
    static constexpr int HIGH = ROWS < 128 ? 1 : 2, BROAD = ROWS < 128 ? 2 : 4;
    static constexpr int WARPS_ALONG = COLUMNS / (8 * BROAD), WARPS_DOWN = ROWS / (16 * HIGH);
    static constexpr int SLICES = THREADS / WARP / (WARPS_ALONG * WARPS_DOWN), THICK = DEPTH / SLICES;
    static constexpr int TALL = 2 * HIGH * BROAD, WIDE = 2;
    int slice, down, over;
    float sums[TALL][WIDE];

    MEMBER FragmentSums() {
        int warp = threadIdx.x / WARP;
        slice = warp / (WARPS_ALONG * WARPS_DOWN);
        down = warp / WARPS_ALONG % WARPS_DOWN * 16 * HIGH;
        over = warp % WARPS_ALONG * 8 * BROAD;
#pragma unroll
        for (int i = 0; i < TALL; ++i) sums[i][0] = sums[i][1] = 0.0f;
    }

    // Sums 2·(h·BROAD + b) and the next are rows lane / 4 and eight below of fragment (h, b).
    MEMBER int row(int i) const { return down + i / (2 * BROAD) * 16 + i % 2 * 8 + int(threadIdx.x) % WARP / 4; }
    MEMBER int column(int i) const { return over + i / 2 % BROAD * 8 + int(threadIdx.x) % 4 * 2; }

    template <class Left, class Right> MEMBER void add(const float* left, const float* right) {
        left += slice * THICK * Left::STEP;
        right += slice * THICK * Right::STEP;
        int group = threadIdx.x % WARP / 4, turn = threadIdx.x % 4;
        left += (down + group) * Left::LINE;
        right += (over + group) * Right::LINE;
#pragma unroll
        for (int d = 0; d < THICK; d += PRECISION == TF32 ? 8 : 16) {
            unsigned a[HIGH][4], b[BROAD][2];
#pragma unroll
            for (int h = 0; h < HIGH; ++h)
#pragma unroll
                for (int r = 0; r < 4; ++r)
                    a[h][r] = entry<Left>(left + (16 * h + r % 2 * 8) * Left::LINE, d, turn, r / 2);
#pragma unroll
            for (int w = 0; w < BROAD; ++w)
#pragma unroll
                for (int r = 0; r < 2; ++r) b[w][r] = entry<Right>(right + 8 * w * Right::LINE, d, turn, r);
#pragma unroll
            for (int h = 0; h < HIGH; ++h)
#pragma unroll
                for (int w = 0; w < BROAD; ++w) {
                    float* c = sums[2 * (h * BROAD + w)];
                    if (PRECISION == TF32) multiply_tf32(c, a[h], b[w]);
                    else multiply_bf16(c, a[h], b[w]);
                }
        }
    }

    // What a lane has of half of a fragment's steps from d on.
    template <class Layout> MEMBER unsigned entry(const float* line, int d, int turn, int half) const {
        if (PRECISION == TF32) return __float_as_uint(line[(d + turn + 4 * half) * Layout::STEP]);
        const float* first = line + (d + 2 * turn + 8 * half) * Layout::STEP;
        return bf16_pair(first[0], first[Layout::STEP]);
    }
};

template <int ROWS, int COLUMNS, int DEPTH> struct Sums<ROWS, COLUMNS, DEPTH, TF32>
    : FragmentSums<ROWS, COLUMNS, DEPTH, TF32> {};
template <int ROWS, int COLUMNS, int DEPTH> struct Sums<ROWS, COLUMNS, DEPTH, BF16>
    : FragmentSums<ROWS, COLUMNS, DEPTH, BF16> {};

// Neighbours of a row at once, where they are aligned.
template <int WIDE> DEVICE void put_row(float* to, const float* from) {
    Pack<float, WIDE> row;
#pragma unroll
    for (int j = 0; j < WIDE; ++j) row.at[j] = from[j];
    put_pack<WIDE>(to, 0, row);
}

// The tile Σ of k from `begin` to `end` of left(·, k)·right(k, ·). result.row(i): the offset of the tile's row i,
// below 0 where there is none; result.columns: of the product; result.end: of its elements. column: the tile's first.
// vector: whether columns are fours.
template <int ROWS, int COLUMNS, int PRECISION, class Left, class Right, class Result>
DEVICE void tile(float* shared, Left left, Right right, int begin, int end, Result result, int column, bool vector) {
    typedef Sums<ROWS, COLUMNS, Left::DEPTH, PRECISION> Own;
    typedef typename Left::Layout OfLeft;
    typedef typename Right::Layout OfRight;
    const int BOTH = OfLeft::FLOATS + OfRight::FLOATS;
    Own own;
    left.source.prepare(begin);
    __syncthreads();
    if (begin < end) {
        left.fetch(begin);
        right.fetch(begin);
    }
    float* panels = shared;
    for (int k = begin; k < end; k += Left::DEPTH) {
        left.put(panels);
        right.put(panels + OfLeft::FLOATS);
        left.source.prepare(k + Left::DEPTH);
        __syncthreads();
        if (k + Left::DEPTH < end) {
            left.fetch(k + Left::DEPTH);
            right.fetch(k + Left::DEPTH);
        }
        own.template add<OfLeft, OfRight>(panels, panels + OfLeft::FLOATS);
        panels = panels == shared ? shared + BOTH : shared;
    }
    if constexpr (Own::SLICES > 1) {
        __syncthreads();
#pragma unroll
        for (int i = 0; i < Own::TALL; ++i)
            put_row<Own::WIDE>(shared + (own.slice * ROWS + own.row(i)) * COLUMNS + own.column(i), own.sums[i]);
        __syncthreads();
        for (int e = threadIdx.x; e < ROWS * COLUMNS; e += THREADS) {
            float sum = shared[e];
            for (int s = 1; s < Own::SLICES; ++s) sum += shared[s * ROWS * COLUMNS + e];
            int offset = result.row(e / COLUMNS), at = column + e % COLUMNS;
            if (offset < 0 || at >= result.columns) continue;
            result.to[offset + at] = ended(result.end, sum, offset + at, at);
        }
    } else {
#pragma unroll
        for (int i = 0; i < Own::TALL; ++i) {
            int offset = result.row(own.row(i)), at = column + own.column(i);
            if (offset < 0) continue;
#pragma unroll
            for (int j = 0; j < Own::WIDE; ++j)
                if (at + j < result.columns) own.sums[i][j] = ended(result.end, own.sums[i][j], offset + at + j, at + j);
            if (vector && at < result.columns) {
                put_row<Own::WIDE>(result.to + offset + at, own.sums[i]);
                continue;
            }
#pragma unroll
            for (int j = 0; j < Own::WIDE; ++j)
                if (at + j < result.columns) result.to[offset + at + j] = own.sums[i][j];
        }
    }
}

// The part of a sum's `depth` that falls to a block, in whole panels.
DEVICE int part_of(int depth, int panel, int parts) {
    return ((depth + panel - 1) / panel + parts - 1) / parts * panel;
}

#endif
