// Sums that were split among blocks.

#include "ends.cuh"

// The sum of the parts, `count` elements each, with its end: WIDE neighbours a block. A neighbour has THREADS/WIDE
// threads, each of which takes every so many'th part, always added in the same order.
template <int WIDE>
DEVICE void add_neighbours(Block block, const float* parts, End end, float* sum, int count, int columns, int number) {
    const int GROUPS = THREADS / WIDE;
    int thread = int(threadIdx.x), group = thread / WIDE, i = block.index * WIDE + thread % WIDE;
    float total = 0.0f;
    if (i < count)
#pragma unroll 8
        for (int p = group; p < number; p += GROUPS) total += parts[(long long)(p) * count + i];
    if (GROUPS > 1) {
        block.shared[thread] = total;
        __syncthreads();
    }
    if (group != 0 || i >= count) return;
#pragma unroll
    for (int g = 1; g < GROUPS; ++g) total += block.shared[g * WIDE + thread];
    sum[i] = ended(end, total, i, i % columns);
}

// wide: THREADS or WARP.
KERNEL add_up(Block block, const float* parts, const float* beside, float* sum, int count, int columns, int number,
              int way, int wide) {
    End end{beside, 1.0f, 0.0f, way};
    if (wide == THREADS) add_neighbours<THREADS>(block, parts, end, sum, count, columns, number);
    else add_neighbours<WARP>(block, parts, end, sum, count, columns, number);
}
