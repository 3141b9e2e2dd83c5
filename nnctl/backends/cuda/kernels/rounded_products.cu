// Matrix products by tensor cores, of operands that are rounded to tf32 or bf16 as they are multiplied.
//
// A block of 2 × 4 warps makes one tile of C. Panels of A and B, DEPTH of k each, lie in shared memory as the operands
// lie in memory, STAGES of them under way or in use, copied past the registers: one barrier a panel. Rows of panels
// are padded so that the lanes of a warp, which read 8 lines of 4 steps, meet all banks, whichever way a panel lies.
#include "ends.cuh"
#include "products.cuh"
#include "mma.cuh"
#include "copies.cuh"

#define DEPTH 32
#define STAGES 3

// A panel of an operand: EDGE lines of DEPTH steps, rows of either with what is behind them.
template <int EDGE> struct Panel {
    static constexpr int ACROSS = DEPTH * (EDGE + 8), ALONG = EDGE * (DEPTH + 4);
    static constexpr int FLOATS = ACROSS > ALONG ? ACROSS : ALONG;
};

// Ask for a panel of an operand from `edge` and `depth` on; zeros from `end` on.
template <int EDGE> DEVICE void request(Operand from, int edge, int depth, int end, int k, float* panel) {
    int line = from.across ? from.edge : k, length = from.across ? line : end;
    bool vector = line % 4 == 0;
#pragma unroll
    for (int q = 0; q < EDGE * DEPTH / 4 / THREADS; ++q) {
        int number = int(threadIdx.x) + q * THREADS;
        int row = from.across ? number / (EDGE / 4) : number / (DEPTH / 4);
        int at = (from.across ? number % (EDGE / 4) : number % (DEPTH / 4)) * 4;
        float* to = panel + row * (from.across ? EDGE + 8 : DEPTH + 4) + at;
        row += from.across ? depth : edge;
        at += from.across ? edge : depth;
        int count = row < (from.across ? end : from.edge) ? max(0, min(4, length - at)) : 0;
        copy_four(to, count > 0 ? from.at + (long long)(row) * line + at : from.at, count, vector);
    }
}

// A lane's 16 steps of a line, rounded, as its words of a fragment, `apart` registers from one to the next.
template <int PRECISION> DEVICE void read(const float* line, int step, unsigned* words, int apart) {
    if (PRECISION == TF32) {
#pragma unroll
        for (int r = 0; r < 4; ++r) words[r * apart] = __float_as_uint(kept<TF32>(line[4 * r * step]));
    } else {
#pragma unroll
        for (int r = 0; r < 2; ++r) words[r * apart] = bf16_pair(line[8 * r * step], line[(8 * r + 4) * step]);
    }
}

template <int SIZE, int PRECISION>
DEVICE void rounded_product(Block block, const float* a, const float* b, float* c, const float* beside,
                            const float* alpha, const float* beta, int m, int n, int k, int part, int way) {
    // Fragments of a warp.
    const int HIGH = SIZE / 2 / 16, BROAD = SIZE / 4 / 8, FLOATS = Panel<SIZE>::FLOATS;
    Place place = place_of(block, SIZE, SIZE, m, n, k, part);
    Operand left{a, m, bool(way & A_ACROSS)}, right{b, n, bool(way & B_ACROSS)};
    int warp = threadIdx.x / WARP, group = threadIdx.x % WARP / 4, turn = threadIdx.x % 4;
    int down = warp / 4 * (SIZE / 2), over = warp % 4 * (SIZE / 4);
    int line_a = left.across ? 1 : DEPTH + 4, step_a = left.across ? SIZE + 8 : 1;
    int line_b = right.across ? 1 : DEPTH + 4, step_b = right.across ? SIZE + 8 : 1;
    float sums[HIGH][BROAD][4];
#pragma unroll
    for (int h = 0; h < HIGH; ++h)
#pragma unroll
        for (int w = 0; w < BROAD; ++w)
#pragma unroll
            for (int e = 0; e < 4; ++e) sums[h][w][e] = 0.0f;
    int asked = place.begin;
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage, asked += DEPTH) {
        float* panels = block.shared + stage * 2 * FLOATS;
        if (asked < place.end) {
            request<SIZE>(left, place.row, asked, place.end, k, panels);
            request<SIZE>(right, place.column, asked, place.end, k, panels + FLOATS);
        }
        close_copies();
    }
    int present = 0, next = STAGES - 1;
    for (int depth = place.begin; depth < place.end; depth += DEPTH, asked += DEPTH) {
        await_copies<STAGES - 2>();
        __syncthreads();
        if (asked < place.end) {
            request<SIZE>(left, place.row, asked, place.end, k, block.shared + next * 2 * FLOATS);
            request<SIZE>(right, place.column, asked, place.end, k, block.shared + next * 2 * FLOATS + FLOATS);
        }
        close_copies();
        const float* of_a = block.shared + present * 2 * FLOATS + (down + group) * line_a + turn * step_a;
        const float* of_b = block.shared + present * 2 * FLOATS + FLOATS + (over + group) * line_b + turn * step_b;
#pragma unroll
        for (int d = 0; d < DEPTH; d += 16) {
            // The steps of a fragment may come in any order that both operands share: t, t + 4, t + 8, t + 12.
            unsigned x[HIGH][8], y[BROAD][4];
#pragma unroll
            for (int h = 0; h < HIGH; ++h)
#pragma unroll
                for (int r = 0; r < 2; ++r)
                    read<PRECISION>(of_a + (16 * h + 8 * r) * line_a + d * step_a, step_a, &x[h][r], 2);
#pragma unroll
            for (int w = 0; w < BROAD; ++w) read<PRECISION>(of_b + 8 * w * line_b + d * step_b, step_b, &y[w][0], 1);
#pragma unroll
            for (int h = 0; h < HIGH; ++h)
#pragma unroll
                for (int w = 0; w < BROAD; ++w)
                    if (PRECISION == TF32) {
                        multiply_tf32(sums[h][w], &x[h][0], &y[w][0]);
                        multiply_tf32(sums[h][w], &x[h][4], &y[w][2]);
                    } else {
                        multiply_bf16(sums[h][w], &x[h][0], &y[w][0]);
                    }
        }
        present = present + 1 == STAGES ? 0 : present + 1;
        next = next + 1 == STAGES ? 0 : next + 1;
    }
    float* part_of_c = c + (long long)(place.split) * m * n;
    Target to{part_of_c, end_of(beside, alpha, beta, way), m, n, bool(way & TURNED)};
#pragma unroll
    for (int h = 0; h < HIGH; ++h)
#pragma unroll
        for (int w = 0; w < BROAD; ++w)
#pragma unroll
            for (int e = 0; e < 4; ++e)
                put(to, place.row + down + 16 * h + e / 2 * 8 + group, place.column + over + 8 * w + 2 * turn + e % 2,
                    sums[h][w][e]);
}

KERNEL product_tf32_128x128(Block block, const float* a, const float* b, float* c, const float* beside,
                            const float* alpha, const float* beta, int m, int n, int k, int part, int way) {
    rounded_product<128, TF32>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

KERNEL product_tf32_64x64(Block block, const float* a, const float* b, float* c, const float* beside,
                          const float* alpha, const float* beta, int m, int n, int k, int part, int way) {
    rounded_product<64, TF32>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

KERNEL product_bf16_128x128(Block block, const float* a, const float* b, float* c, const float* beside,
                            const float* alpha, const float* beta, int m, int n, int k, int part, int way) {
    rounded_product<128, BF16>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

KERNEL product_bf16_64x64(Block block, const float* a, const float* b, float* c, const float* beside,
                          const float* alpha, const float* beta, int m, int n, int k, int part, int way) {
    rounded_product<64, BF16>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}
