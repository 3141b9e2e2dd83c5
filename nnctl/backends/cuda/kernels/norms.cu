// Norms: roots of sums of squares, which are taken again, scaled, where they left the range of numbers.

#define LEAST 1.17549435e-38f
#define MOST 3.40282347e+38f

// √squares of each of `kept` entries, of x seen as (outer, kept, inner). The block sees to the rare others together.
KERNEL norms(Block block, const float* x, const float* squares, float* y, int outer, int kept, int inner) {
    int thread = int(threadIdx.x), entry = element_of(block);
    float square = entry < kept ? squares[entry] : 1.0f;
    bool plain = square >= LEAST && square <= MOST;
    if (plain && entry < kept) y[entry] = sqrtf(square);
    float* marks = block.shared + ACROSS_BLOCK / 4;
    marks[thread] = plain ? 0.0f : 1.0f;
    // The barriers of this maximum are the marks', too.
    bool rare = block_max(block, plain ? 0.0f : 1.0f) > 0.0f;
    for (int k = 0; rare && k < THREADS; ++k) {
        if (marks[k] == 0.0f) continue;
        const float* of = x + (block.index * THREADS + k) * inner;
        float largest = 0.0f, sum = 0.0f;
        for (int i = thread; i < outer * inner; i += THREADS) {
            largest = larger(largest, fabsf(of[i / inner * kept * inner + i % inner]));
        }
        largest = block_max(block, largest);
        for (int i = thread; i < outer * inner; i += THREADS) {
            float ratio = of[i / inner * kept * inner + i % inner] / (largest > 0.0f ? largest : 1.0f);
            sum += ratio * ratio;
        }
        sum = block_sum(block, sum);
        if (thread == k) y[entry] = sqrtf(sum) * largest;
    }
}
