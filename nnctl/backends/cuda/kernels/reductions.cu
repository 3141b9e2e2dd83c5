// Sums and maxima over the middle axis of an array (outer, length, inner).

template <bool LARGEST> DEVICE float nothing() { return LARGEST ? -INFINITE : 0.0f; }

template <bool LARGEST> DEVICE float joined(float a, float b) { return LARGEST ? larger(a, b) : a + b; }

#define AT_ONCE 8

// Of every `step`-th element from `first` on: so many loads are under way at once, each into a partial result of
// its own, which also keeps rounding errors small.
template <bool LARGEST> DEVICE float reduced(const float* x, int first, int last, int step, int stride) {
    float partial[AT_ONCE];
    #pragma unroll
    for (int k = 0; k < AT_ONCE; ++k) partial[k] = nothing<LARGEST>();
    int i = first;
    for (; i < last - (AT_ONCE - 1) * step; i += AT_ONCE * step) {
        #pragma unroll
        for (int k = 0; k < AT_ONCE; ++k) partial[k] = joined<LARGEST>(partial[k], x[(i + k * step) * stride]);
    }
    for (; i < last; i += step) partial[0] = joined<LARGEST>(partial[0], x[i * stride]);
    #pragma unroll
    for (int half = AT_ONCE / 2; half > 0; half /= 2) {
        #pragma unroll
        for (int k = 0; k < half; ++k) partial[k] = joined<LARGEST>(partial[k], partial[k + half]);
    }
    return partial[0];
}

// Each of the `outer` stretches of the middle axis is cut into `parts`, so that y is (outer, parts, inner). A block
// holds as many of these entries as fit, `width` neighbouring columns of the inner axis each: a column has `depth`
// threads, which join what they have found in a tree. Both are powers of two.
template <bool LARGEST>
DEVICE float reduced_part(
    Block block, const float* x, int outer, int length, int inner, int parts, int width, int depth, int* target) {
    int tiles = (inner + width - 1) / width, thread = int(threadIdx.x);
    int column = block.index % tiles * width + thread % width, level = thread / width % depth;
    int entry = block.index / tiles * (THREADS / (width * depth)) + thread / (width * depth);
    bool inside = column < inner && entry < outer * parts;
    float result = nothing<LARGEST>();
    if (inside) {
        int each = (length + parts - 1) / parts, first = entry % parts * each;
        const float* stretch = x + entry / parts * length * inner + column;
        result = reduced<LARGEST>(stretch, first + level, min(first + each, length), depth, inner);
    }
    block.shared[thread] = result;
    __syncthreads();
    for (int half = depth / 2; half > 0; half /= 2) {
        if (level < half) block.shared[thread] = joined<LARGEST>(block.shared[thread], block.shared[thread + half * width]);
        __syncthreads();
    }
    *target = inside && level == 0 ? entry * inner + column : -1;
    return block.shared[thread];
}

KERNEL sums(
    Block block, const float* x, float* y, int outer, int length, int inner, int parts, int width, int depth, float scale) {
    int target;
    float sum = reduced_part<false>(block, x, outer, length, inner, parts, width, depth, &target);
    if (target >= 0) y[target] = sum * scale;
}

KERNEL maxima(
    Block block, const float* x, float* y, int outer, int length, int inner, int parts, int width, int depth) {
    int target;
    float largest = reduced_part<true>(block, x, outer, length, inner, parts, width, depth, &target);
    if (target >= 0) y[target] = largest;
}
