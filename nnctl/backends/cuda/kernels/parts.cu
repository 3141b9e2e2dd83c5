// Sums that were split among blocks.

#include "ends.cuh"

// The sum of the parts, `count` elements each, with its end: `wide` neighbours a block. A neighbour has THREADS/wide
// threads, each of which takes every so many'th part, always added in the same order.
KERNEL add_up(Block block, const float* parts, const float* beside, float* sum, int count, int columns, int number,
              int way, int wide) {
    int thread = int(threadIdx.x), group = thread / wide, groups = THREADS / wide;
    int i = block.index * wide + thread % wide;
    float total = 0.0f;
    if (i < count)
#pragma unroll 8
        for (int p = group; p < number; p += groups) total += parts[(long long)(p) * count + i];
    block.shared[thread] = total;
    __syncthreads();
    if (group != 0 || i >= count) return;
    for (int g = 1; g < groups; ++g) total += block.shared[g * wide + thread];
    sum[i] = ended(End{beside, 1.0f, 0.0f, way}, total, i, i % columns);
}
