// Sums and maxima over the middle axis of arrays (outer, length, inner), whose elements a function makes: COUNT at
// once of each place, where several reductions read the same.
#ifndef NNCTL_REDUCTIONS
#define NNCTL_REDUCTIONS

template <bool LARGEST> DEVICE float nothing_yet() { return LARGEST ? -INFINITE : 0.0f; }

template <bool LARGEST> DEVICE float joined(float a, float b) { return LARGEST ? larger(a, b) : a + b; }

// Of every `step`-th place from `first` on. Several are under way at once, each into a partial result of its own,
// which also keeps rounding errors small.
template <bool LARGEST, int COUNT, class Elements>
DEVICE void reduce_stretch(Elements elements, int base, int first, int last, int step, int stride, float* result) {
    constexpr int AT_ONCE = COUNT == 1 ? 8 : 4;
    float partial[AT_ONCE][COUNT], made[AT_ONCE][COUNT];
    #pragma unroll
    for (int k = 0; k < AT_ONCE; ++k) {
        #pragma unroll
        for (int c = 0; c < COUNT; ++c) partial[k][c] = nothing_yet<LARGEST>();
    }
    int i = first;
    for (; i < last - (AT_ONCE - 1) * step; i += AT_ONCE * step) {
        #pragma unroll
        for (int k = 0; k < AT_ONCE; ++k) elements(base + (i + k * step) * stride, made[k]);
        #pragma unroll
        for (int k = 0; k < AT_ONCE; ++k) {
            #pragma unroll
            for (int c = 0; c < COUNT; ++c) partial[k][c] = joined<LARGEST>(partial[k][c], made[k][c]);
        }
    }
    for (; i < last; i += step) {
        elements(base + i * stride, made[0]);
        #pragma unroll
        for (int c = 0; c < COUNT; ++c) partial[0][c] = joined<LARGEST>(partial[0][c], made[0][c]);
    }
    #pragma unroll
    for (int half = AT_ONCE / 2; half > 0; half /= 2) {
        #pragma unroll
        for (int k = 0; k < half; ++k) {
            #pragma unroll
            for (int c = 0; c < COUNT; ++c) partial[k][c] = joined<LARGEST>(partial[k][c], partial[k + half][c]);
        }
    }
    #pragma unroll
    for (int c = 0; c < COUNT; ++c) result[c] = partial[0][c];
}

// Each of the `outer` stretches of the middle axis is cut into `parts`, so that results are (outer, parts, inner). A
// block holds as many of these entries as fit, `width` neighbouring columns of the inner axis each: a column has
// `depth` threads, which join what they have found in a tree in shared memory, of COUNT floats a thread. Both are
// powers of two. Returned is the place of the results; -1 in threads that have none.
template <bool LARGEST, int COUNT, class Elements>
DEVICE int reduce_part(
    Block block, Elements elements, int outer, int length, int inner, int parts, int width, int depth, float* result) {
    int tiles = (inner + width - 1) / width, thread = int(threadIdx.x);
    int column = block.index % tiles * width + thread % width, level = thread / width % depth;
    int entry = block.index / tiles * (THREADS / (width * depth)) + thread / (width * depth);
    bool inside = column < inner && entry < outer * parts;
    #pragma unroll
    for (int c = 0; c < COUNT; ++c) result[c] = nothing_yet<LARGEST>();
    if (inside) {
        int each = (length + parts - 1) / parts, first = entry % parts * each, last = min(first + each, length);
        int base = entry / parts * length * inner + column;
        reduce_stretch<LARGEST, COUNT>(elements, base, first + level, last, depth, inner, result);
    }
    #pragma unroll
    for (int c = 0; c < COUNT; ++c) block.shared[c * THREADS + thread] = result[c];
    __syncthreads();
    for (int half = depth / 2; half > 0; half /= 2) {
        if (level < half) {
            #pragma unroll
            for (int c = 0; c < COUNT; ++c) {
                float* mine = block.shared + c * THREADS + thread;
                *mine = joined<LARGEST>(*mine, mine[half * width]);
            }
        }
        __syncthreads();
    }
    #pragma unroll
    for (int c = 0; c < COUNT; ++c) result[c] = block.shared[c * THREADS + thread];
    return inside && level == 0 ? entry * inner + column : -1;
}

#endif
