// Matrix products in float32.
//
// A block makes one tile of C, from panels of A and B that it holds in shared memory, DEPTH of k at a time. While
// it multiplies one pair of panels the next pair is under way to registers, and goes to the other half of shared
// memory: one barrier a pair. Each thread has EACH·EACH elements of the tile in registers. The warps of a block lie
// over the tile as WARPS_DOWN × WARPS_ALONG; where that is less than all of them, each such group takes its slice
// of the panels' depth, and their sums are added in the order of slices. For the same end a product may be split
// among blocks along k: then C is the parts, one behind the other, and they are added in order.

// Two blocks of the largest tile share a multiprocessor if its threads keep to 128 registers. Sums, panels under way
// and factors take nearly all of them, so that little else may live through the loop.
#define BLOCKS_HELD 2

#include "ends.cuh"
#include "products.cuh"

// Floats behind each row of a panel, so that the four rows which a thread writes lie in different banks.
#define PAD 4

DEVICE float element(float4 x, int i) { return i == 0 ? x.x : i == 1 ? x.y : i == 2 ? x.z : x.w; }

// Four neighbours in memory, of those that a thread brings to every panel of an operand.
struct Four {
    const float* from;  // in the panel that comes next
    int steps;          // from there to the end of the split, none or fewer behind it
    int lines;          // from there to the operand's edge, none or fewer behind it
};

// Fours of a panel, and how many of them a thread has: of a small panel the last threads have none.
template <int EDGE, int DEPTH> struct Panel {
    static constexpr int FOURS = EDGE * DEPTH / 4, SHARE = (FOURS + THREADS - 1) / THREADS;
};

// A thread's share of the panel of an operand from `edge` and `depth` on.
template <int EDGE, int DEPTH>
DEVICE void share_out(Operand from, int edge, int depth, int end, int k, Four* share) {
#pragma unroll
    for (int q = 0; q < Panel<EDGE, DEPTH>::SHARE; ++q) {
        int number = int(threadIdx.x) + q * THREADS;
        int line = edge + (from.across ? number % (EDGE / 4) * 4 : number / (DEPTH / 4));
        int step = depth + (from.across ? number / (EDGE / 4) : number % (DEPTH / 4) * 4);
        long long at = from.across ? (long long)(step) * from.edge + line : (long long)(line) * k + step;
        bool inside = Panel<EDGE, DEPTH>::FOURS % THREADS == 0 || number < Panel<EDGE, DEPTH>::FOURS;
        share[q] = Four{from.at + at, inside ? end - step : 0, from.edge - line};
    }
}

// Fetch that share, zeros from the operand's edge and the split's end on, and go on to the next panel's. row: elements
// of one in memory.
template <int EDGE, int DEPTH> DEVICE void fetch(Four* share, bool across, int row, float4* held) {
#pragma unroll
    for (int q = 0; q < Panel<EDGE, DEPTH>::SHARE; ++q) {
        const float* from = share[q].from;
        int steps = share[q].steps, lines = share[q].lines;
        int count = across ? (steps > 0 ? lines : 0) : (lines > 0 ? steps : 0);
        if (count >= 4 && row % 4 == 0)
            held[q] = *reinterpret_cast<const float4*>(from);
        else
            held[q] = make_float4(count > 0 ? from[0] : 0.0f, count > 1 ? from[1] : 0.0f, count > 2 ? from[2] : 0.0f,
                                  count > 3 ? from[3] : 0.0f);
        share[q].from += across ? (long long)(DEPTH) * row : DEPTH;
        share[q].steps -= DEPTH;
    }
}

// Put that share into the panel, which has a row for each step of the depth.
template <int EDGE, int DEPTH>
DEVICE void store(const float4* held, bool across, float* panel) {
    for (int q = 0; q < Panel<EDGE, DEPTH>::SHARE; ++q) {
        int number = int(threadIdx.x) + q * THREADS;
        if (Panel<EDGE, DEPTH>::FOURS % THREADS != 0 && number >= Panel<EDGE, DEPTH>::FOURS) break;
        if (across) {
            float* to = panel + number / (EDGE / 4) * (EDGE + PAD) + number % (EDGE / 4) * 4;
            *reinterpret_cast<float4*>(to) = held[q];
        } else {
            float* to = panel + number % (DEPTH / 4) * 4 * (EDGE + PAD) + number / (DEPTH / 4);
            to[0] = held[q].x;
            to[EDGE + PAD] = held[q].y;
            to[2 * (EDGE + PAD)] = held[q].z;
            to[3 * (EDGE + PAD)] = held[q].w;
        }
    }
}

template <int ROWS, int COLUMNS, int DEPTH, int EACH>
DEVICE void product(Block block, const float* a, const float* b, float* c, const float* beside, const float* alpha,
                    const float* beta, int m, int n, int k, int part, int way) {
    const int WARPS_DOWN = ROWS / (4 * EACH), WARPS_ALONG = COLUMNS / (8 * EACH);
    const int SLICES = THREADS / WARP / (WARPS_DOWN * WARPS_ALONG);
    const int A_PANEL = DEPTH * (ROWS + PAD), PANELS = A_PANEL + DEPTH * (COLUMNS + PAD);
    const int HELD = SLICES > 1 ? ROWS * COLUMNS / THREADS : 1;
    Place place = place_of(block, ROWS, COLUMNS, m, n, k, part);
    int row = place.row, column = place.column, end = place.end;
    Operand left{a, m, bool(way & A_ACROSS)}, right{b, n, bool(way & B_ACROSS)};
    int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    int slice = warp / (WARPS_DOWN * WARPS_ALONG);
    int down = warp / WARPS_ALONG % WARPS_DOWN * 4 * EACH + lane / 8 * 4;
    int over = warp % WARPS_ALONG * 8 * EACH + lane % 8 * 4;

    const int FOURS_A = Panel<ROWS, DEPTH>::SHARE, FOURS_B = Panel<COLUMNS, DEPTH>::SHARE;
    int row_a = left.across ? m : k, row_b = right.across ? n : k;
    Four share_a[FOURS_A], share_b[FOURS_B];
    float4 held_a[FOURS_A], held_b[FOURS_B];
    share_out<ROWS, DEPTH>(left, row, place.begin, end, k, share_a);
    share_out<COLUMNS, DEPTH>(right, column, place.begin, end, k, share_b);
    float sums[EACH][EACH];
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) sums[i][j] = 0.0f;
    float *present = block.shared, *next = block.shared + PANELS;
    fetch<ROWS, DEPTH>(share_a, left.across, row_a, held_a);
    fetch<COLUMNS, DEPTH>(share_b, right.across, row_b, held_b);
    // What the ends of a small tile read is under way with its first panels; a large one has no registers for it.
    Target to{c + (long long)(place.split) * m * n, End{}, m, n, bool(way & TURNED)};
    float held_beside[HELD];
    if (SLICES > 1) {
        to.end = end_of(beside, alpha, beta, way);
#pragma unroll
        for (int q = 0; q < HELD; ++q) {
            int e = int(threadIdx.x) + q * THREADS;
            int i = row + (to.turned ? e % ROWS : e / COLUMNS), j = column + (to.turned ? e / ROWS : e % COLUMNS);
            held_beside[q] = is_inside(to, i, j) ? beside_of(to.end, at_of(to, i, j), to.turned ? i : j) : 0.0f;
        }
    }
    store<ROWS, DEPTH>(held_a, left.across, present);
    store<COLUMNS, DEPTH>(held_b, right.across, present + A_PANEL);
    __syncthreads();
    for (int depth = place.begin; depth < end; depth += DEPTH) {
        bool more = depth + DEPTH < end;
        if (more) {
            fetch<ROWS, DEPTH>(share_a, left.across, row_a, held_a);
            fetch<COLUMNS, DEPTH>(share_b, right.across, row_b, held_b);
        }
#pragma unroll
        for (int d = 0; d < DEPTH / SLICES; ++d) {
            const float* of_a = present + (slice * (DEPTH / SLICES) + d) * (ROWS + PAD) + down;
            const float* of_b = present + A_PANEL + (slice * (DEPTH / SLICES) + d) * (COLUMNS + PAD) + over;
            float4 x[EACH / 4], y[EACH / 4];
#pragma unroll
            for (int g = 0; g < EACH / 4; ++g) x[g] = *reinterpret_cast<const float4*>(of_a + 16 * g);
#pragma unroll
            for (int g = 0; g < EACH / 4; ++g) y[g] = *reinterpret_cast<const float4*>(of_b + 32 * g);
#pragma unroll
            for (int i = 0; i < EACH; ++i)
#pragma unroll
                for (int j = 0; j < EACH; ++j)
                    sums[i][j] = fmaf(element(x[i / 4], i % 4), element(y[j / 4], j % 4), sums[i][j]);
        }
        if (more) {
            store<ROWS, DEPTH>(held_a, left.across, next);
            store<COLUMNS, DEPTH>(held_b, right.across, next + A_PANEL);
        }
        __syncthreads();
        float* other = present;
        present = next;
        next = other;
    }
    if (SLICES == 1) {
        to.end = end_of(beside, alpha, beta, way);
        // One by one: four at once cost the largest tile so many registers that a multiprocessor holds but one block.
#pragma unroll
        for (int i = 0; i < EACH; ++i)
#pragma unroll
            for (int j = 0; j < EACH; ++j)
                put(to, row + down + i / 4 * 16 + i % 4, column + over + j / 4 * 32 + j % 4, sums[i][j]);
        return;
    }
    float* of_slices = block.shared;
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j)
            of_slices[(slice * ROWS + down + i / 4 * 16 + i % 4) * COLUMNS + over + j / 4 * 32 + j % 4] = sums[i][j];
    __syncthreads();
#pragma unroll
    for (int q = 0; q < HELD; ++q) {
        int e = int(threadIdx.x) + q * THREADS;
        int i = to.turned ? e % ROWS : e / COLUMNS, j = to.turned ? e / ROWS : e % COLUMNS;
        float sum = of_slices[i * COLUMNS + j];
#pragma unroll
        for (int s = 1; s < SLICES; ++s) sum += of_slices[(s * ROWS + i) * COLUMNS + j];
        if (is_inside(to, row + i, column + j))
            to.c[at_of(to, row + i, column + j)] = ended_by(to.end, sum, held_beside[q]);
    }
}

KERNEL product_128x128(Block block, const float* a, const float* b, float* c, const float* beside, const float* alpha,
                       const float* beta, int m, int n, int k, int part, int way) {
    product<128, 128, 8, 8>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

KERNEL product_64x64(Block block, const float* a, const float* b, float* c, const float* beside, const float* alpha,
                     const float* beta, int m, int n, int k, int part, int way) {
    product<64, 64, 16, 4>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

KERNEL product_32x32(Block block, const float* a, const float* b, float* c, const float* beside, const float* alpha,
                     const float* beta, int m, int n, int k, int part, int way) {
    product<32, 32, 32, 4>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

// For a short k: its one panel is as little as can be, and few blocks make a broad result.
KERNEL product_16x128(Block block, const float* a, const float* b, float* c, const float* beside, const float* alpha,
                      const float* beta, int m, int n, int k, int part, int way) {
    product<16, 128, 16, 4>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

KERNEL product_16x32(Block block, const float* a, const float* b, float* c, const float* beside, const float* alpha,
                     const float* beta, int m, int n, int k, int part, int way) {
    product<16, 32, 64, 4>(block, a, b, c, beside, alpha, beta, m, n, k, part, way);
}

// A pack of C, whose parts are `packs` of them apart. They are added in their order, and PARTS_AT_ONCE asked for at once.
#define PARTS_AT_ONCE 16

template <int WIDTH>
DEVICE void add_pack(const float* parts, float* c, End end, int packs, int columns, int splits, int i) {
    Pack<float, WIDTH> sum = pack_at<WIDTH>(parts, i), next[PARTS_AT_ONCE], beside;
    if (end.way & (ACCUMULATING | MASKED)) {
        beside = pack_at<WIDTH>(end.beside, i);
    } else {
#pragma unroll
        for (int k = 0; k < WIDTH; ++k) beside.at[k] = beside_of(end, 0, (i * WIDTH + k) % columns);
    }
#pragma unroll 1
    for (int first = 1; first < splits; first += PARTS_AT_ONCE) {
#pragma unroll
        for (int s = 0; s < PARTS_AT_ONCE; ++s)
            if (first + s < splits) next[s] = pack_at<WIDTH>(parts + (long long)(first + s) * packs * WIDTH, i);
#pragma unroll
        for (int s = 0; s < PARTS_AT_ONCE; ++s)
            if (first + s < splits)
#pragma unroll
                for (int k = 0; k < WIDTH; ++k) sum.at[k] += next[s].at[k];
    }
#pragma unroll
    for (int k = 0; k < WIDTH; ++k) sum.at[k] = ended_by(end, sum.at[k], beside.at[k]);
    put_pack(c, i, sum);
}

// C, `count` packs, of a product that lies in memory as it was made, or in C itself.
KERNEL end_product(Block block, const float* made, float* c, const float* beside, const float* alpha, const float* beta,
                   int count, int columns, int pack, int way) {
    int i = element_of(block);
    if (i >= count) return;
    End end = end_of(beside, alpha, beta, way);
    if (pack == 4) add_pack<4>(made, c, end, count, columns, 1, i);
    else add_pack<1>(made, c, end, count, columns, 1, i);
}

// C, `count` packs, of the parts of a product. A small result is the work of one block, and of no grid of its own in a
// persistent kernel; of a larger one a thread has an element.
KERNEL add_parts(Block block, const float* parts, float* c, const float* beside, const float* alpha, const float* beta,
                 int count, int columns, int splits, int pack, int way) {
    int i = element_of(block);
    if (i >= count) return;
    End end = end_of(beside, alpha, beta, way);
    if (pack == 4) add_pack<4>(parts, c, end, count, columns, splits, i);
    else add_pack<1>(parts, c, end, count, columns, splits, i);
}
