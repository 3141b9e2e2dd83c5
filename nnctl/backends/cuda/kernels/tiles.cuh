// Tiles of a product of two matrices, each a block's work.
//
// A block makes its tile from panels of the matrices in shared memory, DEPTH of the sum at a time, STAGES pairs of them
// under way or in use: one barrier a pair. The warps lie over the tile; where it is too small for all of them, groups
// of warps take slices of the panels' depth, and their sums are added in the order of slices. Sums go through shared
// memory, so that the result is written by fours of neighbours.
#ifndef NNCTL_TILES
#define NNCTL_TILES

// A tile. HIGH, BROAD: of a thread's sums by cores, its rows and columns; by tensor cores a warp's fragments.
template <int ROWS_, int COLUMNS_, int DEPTH_, int STAGES_, int HIGH_, int BROAD_, int PRECISION_> struct Tile {
    static constexpr int ROWS = ROWS_, COLUMNS = COLUMNS_, DEPTH = DEPTH_, STAGES = STAGES_, HIGH = HIGH_;
    static constexpr int BROAD = BROAD_, PRECISION = PRECISION_;
    static constexpr bool CORES = PRECISION_ == FLOAT32;
    // Of a warp: its threads, so that its part is as square as can be, and its rows and columns.
    static constexpr int LANES_DOWN = HIGH > BROAD ? 4 : 8, LANES_ALONG = WARP / LANES_DOWN;
    static constexpr int TALL = (CORES ? LANES_DOWN : 16) * HIGH, WIDE = (CORES ? LANES_ALONG : 8) * BROAD;
    static constexpr int ALONG = COLUMNS / WIDE, DOWN = ROWS / TALL, SLICES = THREADS / WARP / (ALONG * DOWN);
    static constexpr int THICK = DEPTH / SLICES;
    static_assert(ALONG * DOWN * SLICES * WARP == THREADS, "warps cover the tile");
    static_assert(THICK * SLICES == DEPTH && (CORES || THICK % 16 == 0 || (PRECISION == TF32 && THICK % 8 == 0)), "slices cover the depth");
    static_assert(CORES || BROAD % 2 == 0, "two fragments of the right matrix are read at once");
};

// Where a warp is in its tile.
template <class T> struct Warp {
    int slice, down, over;

    MEMBER Warp() {
        int warp = threadIdx.x / WARP;
        slice = warp / (T::ALONG * T::DOWN);
        down = warp / T::ALONG % T::DOWN * T::TALL;
        over = warp % T::ALONG * T::WIDE;
    }
};

DEVICE float entry_of(float4 x, int i) { return i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w; }

// A thread's sums, by cores: HIGH × BROAD, fours of rows and of columns a warp's threads apart, so that what a warp reads
// together lies side by side.
template <class T, class Left, class Right> struct CoreSums : Warp<T> {
    // Steps that are unrolled: of more sums fewer, which take all registers as it is.
    static constexpr int AHEAD = T::COLUMNS + 4, AT_ONCE = T::HIGH * T::BROAD > 32 ? 2 : 8;
    float sums[T::HIGH][T::BROAD];
    int row, column;

    MEMBER CoreSums() {
        row = this->down + int(threadIdx.x) % WARP / T::LANES_ALONG * 4;
        column = this->over + int(threadIdx.x) % T::LANES_ALONG * 4;
#pragma unroll
        for (int i = 0; i < T::HIGH; ++i)
#pragma unroll
            for (int j = 0; j < T::BROAD; ++j) sums[i][j] = 0.0f;
    }

    MEMBER void add(const float* left, const float* right) {
#pragma unroll AT_ONCE
        for (int d = 0; d < T::THICK; ++d) {
            int step = this->slice * T::THICK + d;
            float4 a[T::HIGH / 4], b[T::BROAD / 4];
#pragma unroll
            for (int i = 0; i < T::HIGH / 4; ++i)
                a[i] = *reinterpret_cast<const float4*>(left + step * Left::STEP + row + 4 * T::LANES_DOWN * i);
#pragma unroll
            for (int j = 0; j < T::BROAD / 4; ++j)
                b[j] = *reinterpret_cast<const float4*>(right + step * Right::STEP + column + 4 * T::LANES_ALONG * j);
#pragma unroll
            for (int i = 0; i < T::HIGH; ++i)
#pragma unroll
                for (int j = 0; j < T::BROAD; ++j)
                    sums[i][j] = fmaf(entry_of(a[i / 4], i % 4), entry_of(b[j / 4], j % 4), sums[i][j]);
        }
    }

    MEMBER void put(float* slices) const {
#pragma unroll
        for (int i = 0; i < T::HIGH; ++i) {
            float* to = slices + (this->slice * T::ROWS + row + i / 4 * 4 * T::LANES_DOWN + i % 4) * AHEAD + column;
#pragma unroll
            for (int j = 0; j < T::BROAD; j += 4)
                *reinterpret_cast<float4*>(to + T::LANES_ALONG * j) =
                    make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
        }
    }
};

// A thread's sums, by tensor cores. A warp has a part of the tile that is HIGH × BROAD fragments of 16 × 8.
template <class T, class Left, class Right> struct FragmentSums : Warp<T> {
    // Behind each row of sums are floats that keep rows apart in banks.
    static constexpr int AHEAD = T::COLUMNS + 8, STEPS = T::PRECISION == TF32 ? 8 : 16;
    float sums[T::HIGH][T::BROAD][4];

    MEMBER FragmentSums() {
#pragma unroll
        for (int h = 0; h < T::HIGH; ++h)
#pragma unroll
            for (int b = 0; b < T::BROAD; ++b)
#pragma unroll
                for (int e = 0; e < 4; ++e) sums[h][b][e] = 0.0f;
    }

    MEMBER void add(const float* left, const float* right) {
        left += this->down * Left::LINE + this->slice * T::THICK * Left::STEP;
        right += this->over * Right::LINE + this->slice * T::THICK * Right::STEP;
#pragma unroll
        for (int d = 0; d < T::THICK; d += STEPS) {
            unsigned a[T::HIGH][4], b[T::BROAD][2];
#pragma unroll
            for (int h = 0; h < T::HIGH; ++h)
                read<Left, 8, 0, 0, 4>(left + 16 * h * Left::LINE + d * Left::STEP, a[h]);
#pragma unroll
            for (int w = 0; w < T::BROAD; w += 2)
                read<Right, 0, 4, 8, 0>(right + 8 * w * Right::LINE + d * Right::STEP, b[w]);
#pragma unroll
            for (int h = 0; h < T::HIGH; ++h)
#pragma unroll
                for (int w = 0; w < T::BROAD; ++w) {
                    if (T::PRECISION == TF32) multiply_tf32(sums[h][w], a[h], b[w]);
                    else multiply_bf16(sums[h][w], a[h], b[w]);
                }
        }
    }

    // The same of `fragments` fragments' steps whose left matrix is, for each lane, rows of fours of floats: rows[h] from
    // `pixels` on is that of number lane % 16 of fragment h, four behind in the upper half of the warp.
    MEMBER void add_pixels(const float* pixels, const int* rows, const float* right, int fragments) {
        right += this->over * Right::LINE;
        if (fragments == T::DEPTH / 8) {
#pragma unroll
            for (int f = 0; f < T::DEPTH / 8; f += T::SLICES) add_fragment(pixels, rows, right, f + this->slice);
        } else {
            for (int f = this->slice; f < fragments; f += T::SLICES) add_fragment(pixels, rows, right, f);
        }
    }

    MEMBER void add_fragment(const float* pixels, const int* rows, const float* right, int number) {
        unsigned a[T::HIGH][4], b[T::BROAD][2];
#pragma unroll
        for (int h = 0; h < T::HIGH; ++h) read_matrices(pixels + rows[h] + number * 8, a[h]);
#pragma unroll
        for (int w = 0; w < T::BROAD; w += 2)
            read<Right, 0, 4, 8, 0>(right + 8 * w * Right::LINE + number * 8 * Right::STEP, b[w]);
#pragma unroll
        for (int h = 0; h < T::HIGH; ++h)
#pragma unroll
            for (int w = 0; w < T::BROAD; ++w) multiply_tf32(sums[h][w], a[h], b[w]);
    }

    // A lane's words of four matrices of 8 lines × half a fragment's steps: the second one begins ONE_LINE lines and
    // ONE_STEP quarters of a tf32 fragment's steps behind the first, the third one TWO_…, the fourth both.
    template <class Layout, int ONE_LINE, int ONE_STEP, int TWO_LINE, int TWO_STEP>
    MEMBER static void read(const float* first, unsigned* words) {
        int lane = int(threadIdx.x) % WARP;
        if (T::PRECISION == TF32 && Layout::ALONG_STEPS) {
            int line = lane % 8 + lane / 8 % 2 * ONE_LINE + lane / 16 * TWO_LINE;
            int step = lane / 8 % 2 * ONE_STEP + lane / 16 * TWO_STEP;
            read_matrices(first + line * Layout::LINE + step, words);
            return;
        }
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            int line = lane / 4 + j % 2 * ONE_LINE + j / 2 * TWO_LINE, step = j % 2 * ONE_STEP + j / 2 * TWO_STEP;
            const float* from = first + line * Layout::LINE;
            if (T::PRECISION == TF32) {
                words[j] = __float_as_uint(from[(lane % 4 + step) * Layout::STEP]);
            } else {
                from += (lane % 4 + step) * 2 * Layout::STEP;
                words[j] = bf16_pair(from[0], from[Layout::STEP]);
            }
        }
    }

    MEMBER void put(float* slices) const {
        float* to = slices + (this->slice * T::ROWS + this->down + int(threadIdx.x) % WARP / 4) * AHEAD + this->over;
        to += int(threadIdx.x) % 4 * 2;
#pragma unroll
        for (int h = 0; h < T::HIGH; ++h)
#pragma unroll
            for (int r = 0; r < 2; ++r)
#pragma unroll
                for (int b = 0; b < T::BROAD; ++b) {
                    Pack<float, 2> two = {sums[h][b][2 * r], sums[h][b][2 * r + 1]};
                    put_pack<2>(to + (16 * h + 8 * r) * AHEAD + 8 * b, 0, two);
                }
    }
};

template <bool CORES, class T, class Left, class Right> struct SumsOf {
    typedef CoreSums<T, Left, Right> Type;
};
template <class T, class Left, class Right> struct SumsOf<false, T, Left, Right> {
    typedef FragmentSums<T, Left, Right> Type;
};

// Store a tile from its threads' sums, those of slices added in their order, as `tile` has it.
template <class T, class Own, class Result>
DEVICE void finish(float* shared, const Own& own, Result result, int column, bool vector) {
    __syncthreads();
    own.put(shared);
    __syncthreads();
    for (int e = threadIdx.x; e < T::ROWS * T::COLUMNS / 4; e += THREADS) {
        int i = e / (T::COLUMNS / 4), j = e % (T::COLUMNS / 4) * 4, offset = result.row(i), at = column + j;
        if (offset < 0 || at >= result.columns) continue;
        const float* from = shared + i * Own::AHEAD + j;
        Pack<float, 4> sum = pack_at<4>(from, 0);
#pragma unroll
        for (int s = 1; s < T::SLICES; ++s) {
            Pack<float, 4> other = pack_at<4>(from + s * T::ROWS * Own::AHEAD, 0);
#pragma unroll
            for (int c = 0; c < 4; ++c) sum.at[c] += other.at[c];
        }
#pragma unroll
        for (int c = 0; c < 4; ++c)
            if (at + c < result.columns) sum.at[c] = ended(result.end, sum.at[c], offset + at + c, at + c);
        if (vector) {
            put_pack<4>(result.to + offset + at, 0, sum);
            continue;
        }
#pragma unroll
        for (int c = 0; c < 4; ++c)
            if (at + c < result.columns) result.to[offset + at + c] = sum.at[c];
    }
}

// Ask for a side's panel at k, and put it there if it is staged.
template <class Side> DEVICE void ask(Side& side, int k, float* panel) {
    if constexpr (Side::STAGED) side.fetch(k);
    else side.request(k, panel);
}

template <class Side> DEVICE void put_staged(const Side& side, float* panel) {
    if constexpr (Side::STAGED) side.put(panel);
}

// The tile Σ of k from `begin` to `end` of left(·, k)·right(k, ·). result.row(i): the offset of the tile's row i,
// below 0 where there is none; result.columns: of the product; result.end: of its elements. column: the tile's first.
// vector: whether columns are fours.
template <class T, class Left, class Right, class Result>
DEVICE void tile(float* shared, Left left, Right right, int begin, int end, Result result, int column, bool vector) {
    typedef typename Left::Layout OfLeft;
    typedef typename Right::Layout OfRight;
    typedef typename SumsOf<T::CORES, T, OfLeft, OfRight>::Type Own;
    const int BOTH = OfLeft::FLOATS + OfRight::FLOATS, STAGES = T::STAGES;
    Own own;
#pragma unroll
    for (int stage = 0; stage < STAGES; ++stage) left.prepare(begin + stage * T::DEPTH);
    __syncthreads();
    int asked = begin;
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage, asked += T::DEPTH) {
        if (asked < end) {
            ask(left, asked, shared + stage * BOTH);
            ask(right, asked, shared + stage * BOTH + OfLeft::FLOATS);
            put_staged(left, shared + stage * BOTH);
            put_staged(right, shared + stage * BOTH + OfLeft::FLOATS);
        }
        close_copies();
    }
    int present = 0, next = STAGES - 1;
    for (int k = begin; k < end; k += T::DEPTH, asked += T::DEPTH) {
        await_copies<STAGES - 2>();
        left.round(shared + present * BOTH);
        right.round(shared + present * BOTH + OfLeft::FLOATS);
        __syncthreads();
        if (asked < end) {
            ask(left, asked, shared + next * BOTH);
            ask(right, asked, shared + next * BOTH + OfLeft::FLOATS);
        }
        close_copies();
        left.prepare(asked + T::DEPTH);
        own.add(shared + present * BOTH, shared + present * BOTH + OfLeft::FLOATS);
        if (asked < end) {
            put_staged(left, shared + next * BOTH);
            put_staged(right, shared + next * BOTH + OfLeft::FLOATS);
        }
        present = present + 1 == STAGES ? 0 : present + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    finish<T>(shared, own, result, column, vector);
}

// The part of a sum's `depth` that falls to a block, in whole panels.
DEVICE int part_of(int depth, int panel, int parts) {
    return ((depth + panel - 1) / panel + parts - 1) / parts * panel;
}

#endif
