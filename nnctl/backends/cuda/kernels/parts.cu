// Sums that were split among blocks.

#include "ends.cuh"

// The sum of the parts, `count` elements each, with its end: WARP neighbours a block, whose warps take every eighth
// part, always added in the same order.
KERNEL add_up(Block block, const float* parts, const float* beside, float* sum, int count, int columns, int number,
              int way) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, i = block.index * WARP + lane;
    float total = 0.0f;
    if (i < count)
#pragma unroll 8
        for (int p = warp; p < number; p += THREADS / WARP) total += parts[(long long)(p) * count + i];
    block.shared[threadIdx.x] = total;
    __syncthreads();
    if (warp != 0 || i >= count) return;
    for (int w = 1; w < THREADS / WARP; ++w) total += block.shared[w * WARP + lane];
    sum[i] = ended(End{beside, 1.0f, 0.0f, way}, total, i, i % columns);
}
