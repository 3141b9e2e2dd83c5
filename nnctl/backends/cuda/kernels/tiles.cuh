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
    // Of a warp.
    static constexpr int TALL = CORES ? 8 * HIGH : 16 * HIGH, WIDE = CORES ? 4 * BROAD : 8 * BROAD;
    static constexpr int ALONG = COLUMNS / WIDE, DOWN = ROWS / TALL, SLICES = THREADS / WARP / (ALONG * DOWN);
    static constexpr int THICK = DEPTH / SLICES;
    static_assert(ALONG * DOWN * SLICES * WARP == THREADS, "warps cover the tile");
    static_assert(THICK * SLICES == DEPTH && (CORES || THICK % 16 == 0), "slices cover the depth");
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

// A thread's sums, by cores: of the 8 × 4 threads of a warp each has HIGH × BROAD, fours of rows 32 apart and fours of
// columns 16 apart, so that what a warp reads together lies side by side.
template <class T, class Left, class Right> struct CoreSums : Warp<T> {
    static constexpr int AHEAD = T::COLUMNS + 4;
    float sums[T::HIGH][T::BROAD];
    int row, column;

    MEMBER CoreSums() {
        row = this->down + int(threadIdx.x) % WARP / 4 * 4;
        column = this->over + int(threadIdx.x) % 4 * 4;
#pragma unroll
        for (int i = 0; i < T::HIGH; ++i)
#pragma unroll
            for (int j = 0; j < T::BROAD; ++j) sums[i][j] = 0.0f;
    }

    MEMBER void add(const float* left, const float* right) {
#pragma unroll
        for (int d = 0; d < T::THICK; ++d) {
            int step = this->slice * T::THICK + d;
            float4 a[T::HIGH / 4], b[T::BROAD / 4];
#pragma unroll
            for (int i = 0; i < T::HIGH / 4; ++i)
                a[i] = *reinterpret_cast<const float4*>(left + Left::at(row + 32 * i, step));
#pragma unroll
            for (int j = 0; j < T::BROAD / 4; ++j)
                b[j] = *reinterpret_cast<const float4*>(right + Right::at(column + 16 * j, step));
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
            float* to = slices + (this->slice * T::ROWS + row + i / 4 * 32 + i % 4) * AHEAD + column;
#pragma unroll
            for (int j = 0; j < T::BROAD; j += 4)
                *reinterpret_cast<float4*>(to + 4 * j) =
                    make_float4(sums[i][j], sums[i][j + 1], sums[i][j + 2], sums[i][j + 3]);
        }
    }
};

// What a lane reads of a panel for fragments: COUNT lines of eight lanes' each, four steps of 16. Steps of a fragment
// may come in any order that both operands share: a lane's are 4t … 4t + 3 for t = lane % 4. Lines may, too: where
// they lie by steps, a lane's number n = lane / 4 has fours of neighbours (or a pair, of two).
template <class Layout, int COUNT, int PRECISION> struct Lines {
    static constexpr int EACH = COUNT < 4 ? COUNT : 4;
    float values[COUNT][4];

    // The line of number `which` among those that a lane with this n has.
    MEMBER static int line(int which, int n) {
        return Layout::ALONG_STEPS ? 8 * which + n : which / EACH * 8 * EACH + EACH * n + which % EACH;
    }

    MEMBER void read(const float* panel, int first, int step) {
        int n = int(threadIdx.x) % WARP / 4, own = step + int(threadIdx.x) % 4 * 4;
        if (Layout::ALONG_STEPS) {
#pragma unroll
            for (int i = 0; i < COUNT; ++i) {
                Pack<float, 4> four = pack_at<4>(panel + Layout::at(first + line(i, n), own), 0);
#pragma unroll
                for (int k = 0; k < 4; ++k) values[i][k] = held(four.at[k]);
            }
        } else {
#pragma unroll
            for (int k = 0; k < 4; ++k)
#pragma unroll
                for (int i = 0; i < COUNT; i += EACH) {
                    Pack<float, EACH> some = pack_at<EACH>(panel + Layout::at(first + line(i, n), own + k), 0);
#pragma unroll
                    for (int e = 0; e < EACH; ++e) values[i + e][k] = held(some.at[e]);
                }
        }
    }

    MEMBER static float held(float x) { return kept<PRECISION>(x); }
};

// A thread's sums, by tensor cores. A warp has a part of the tile that is HIGH × BROAD fragments of 16 × 8.
template <class T, class Left, class Right> struct FragmentSums : Warp<T> {
    // Behind each row of sums, so that rows lie apart in banks.
    static constexpr int AHEAD = T::COLUMNS + (Right::ALONG_STEPS ? 8 : 4);
    typedef Lines<Left, 2 * T::HIGH, T::PRECISION> OfLeft;
    typedef Lines<Right, T::BROAD, T::PRECISION> OfRight;
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
#pragma unroll
        for (int d = 0; d < T::THICK; d += 16) {
            OfLeft x;
            OfRight y;
            x.read(left, this->down, this->slice * T::THICK + d);
            y.read(right, this->over, this->slice * T::THICK + d);
#pragma unroll
            for (int h = 0; h < T::HIGH; ++h)
#pragma unroll
                for (int b = 0; b < T::BROAD; ++b) {
                    multiply(sums[h][b], x.values[2 * h], x.values[2 * h + 1], y.values[b]);
                }
        }
    }

    // Sixteen steps: of the rows n and n + 8 of a fragment, and of a column.
    MEMBER static void multiply(float* c, const float* upper, const float* lower, const float* right) {
        if (T::PRECISION == TF32) {
#pragma unroll
            for (int k = 0; k < 4; k += 2) {
                unsigned a[] = {__float_as_uint(upper[k]), __float_as_uint(lower[k]), __float_as_uint(upper[k + 1]),
                                __float_as_uint(lower[k + 1])};
                unsigned b[] = {__float_as_uint(right[k]), __float_as_uint(right[k + 1])};
                multiply_tf32(c, a, b);
            }
        } else {
            unsigned a[] = {bf16_pair(upper[0], upper[1]), bf16_pair(lower[0], lower[1]),
                            bf16_pair(upper[2], upper[3]), bf16_pair(lower[2], lower[3])};
            unsigned b[] = {bf16_pair(right[0], right[1]), bf16_pair(right[2], right[3])};
            multiply_bf16(c, a, b);
        }
    }

    MEMBER void put(float* slices) const {
        int n = int(threadIdx.x) % WARP / 4, t = int(threadIdx.x) % 4;
#pragma unroll
        for (int h = 0; h < T::HIGH; ++h)
#pragma unroll
            for (int r = 0; r < 2; ++r) {
                float* to = slices + (this->slice * T::ROWS + this->down + OfLeft::line(2 * h + r, n)) * AHEAD + this->over;
                if (Right::ALONG_STEPS) {
#pragma unroll
                    for (int b = 0; b < T::BROAD; ++b) {
                        Pack<float, 2> two = {sums[h][b][2 * r], sums[h][b][2 * r + 1]};
                        put_pack<2>(to + OfRight::line(b, 2 * t), 0, two);
                    }
                } else {
#pragma unroll
                    for (int e = 0; e < 2; ++e)
#pragma unroll
                        for (int b = 0; b < T::BROAD; b += OfRight::EACH) {
                            Pack<float, OfRight::EACH> some;
#pragma unroll
                            for (int i = 0; i < OfRight::EACH; ++i) some.at[i] = sums[h][b + i][2 * r + e];
                            put_pack<OfRight::EACH>(to + OfRight::line(b, 2 * t + e), 0, some);
                        }
                }
            }
    }
};

template <bool CORES, class T, class Left, class Right> struct SumsOf {
    typedef CoreSums<T, Left, Right> Type;
};
template <class T, class Left, class Right> struct SumsOf<false, T, Left, Right> {
    typedef FragmentSums<T, Left, Right> Type;
};

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
            left.request(asked, shared + stage * BOTH);
            right.request(asked, shared + stage * BOTH + OfLeft::FLOATS);
        }
        close_copies();
    }
    int present = 0, next = STAGES - 1;
    for (int k = begin; k < end; k += T::DEPTH, asked += T::DEPTH) {
        await_copies<STAGES - 2>();
        __syncthreads();
        if (asked < end) {
            left.request(asked, shared + next * BOTH);
            right.request(asked, shared + next * BOTH + OfLeft::FLOATS);
        }
        close_copies();
        left.prepare(asked + T::DEPTH);
        own.add(shared + present * BOTH, shared + present * BOTH + OfLeft::FLOATS);
        present = present + 1 == STAGES ? 0 : present + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    await_copies<0>();
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

// The part of a sum's `depth` that falls to a block, in whole panels.
DEVICE int part_of(int depth, int panel, int parts) {
    return ((depth + panel - 1) / panel + parts - 1) / parts * panel;
}

#endif
