// Classes of examples, row by row: some neighbouring threads share a row, as many as `threads` says.

#include "softmax.cuh"

// e^(z − max) / Σ.
KERNEL softmax(Block block, const float* z, float* a, int rows, int columns, int threads) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0;
    const float* of = z + row.number * columns;
    Exponentials found = exponentials_of(block, row, of, mine);
    put_softmax(a + row.number * columns, row, of, mine, found);
}

// True where element i of value x comes before element j of value y: the larger, and of equals the first; what is
// no number counts as largest.
DEVICE bool before(float x, int i, float y, int j) {
    if (x > y || (x != x && y == y)) return true;
    return (x == y || (x != x && y != y)) && i < j;
}

// The position of the largest of each row. Pairs of a value and its place meet in a tree in shared memory.
KERNEL argmax(Block block, const float* x, long long* y, int rows, int columns, int threads) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0, thread = int(threadIdx.x), at = row.lane;
    const float* of = x + row.number * columns;
    float best = row.lane < mine ? of[row.lane] : -INFINITE;
    for (int j = row.lane + threads; j < mine; j += threads) {
        if (before(of[j], j, best, at)) best = of[j], at = j;
    }
    float* values = block.shared;
    int* places = (int*)(block.shared + THREADS);
    values[thread] = best;
    places[thread] = at;
    __syncthreads();
    for (int half = threads / 2; half > 0; half /= 2) {
        if (row.lane < half && before(values[thread + half], places[thread + half], values[thread], places[thread])) {
            values[thread] = values[thread + half];
            places[thread] = places[thread + half];
        }
        __syncthreads();
    }
    if (row.lane == 0 && row.number < rows) y[row.number] = places[thread];
}

// 1 where fewer than k scores are ahead of the label's; of equal scores the first is ahead.
KERNEL in_top_k(
    Block block, const float* scores, const long long* labels, float* y, int rows, int columns, int threads, int k) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0;
    const float* of = scores + row.number * columns;
    int label = mine > 0 ? int(labels[row.number]) : 0;
    float own = mine > 0 ? of[label] : 0.0f, ahead = 0.0f;
    for (int j = row.lane; j < mine; j += threads) ahead += of[j] > own || (of[j] == own && j < label) ? 1.0f : 0.0f;
    ahead = row_sum(block, row, ahead);
    if (row.lane == 0 && mine > 0) y[row.number] = ahead < float(k) ? 1.0f : 0.0f;
}

// 1 where two indices are equal, else 0.
KERNEL same(Block block, const long long* a, const long long* b, float* y, int count) {
    int i = element_of(block);
    if (i < count) y[i] = a[i] == b[i] ? 1.0f : 0.0f;
}

// The weight of each example's class.
KERNEL label_weight(Block block, const long long* labels, const float* weights, float* y, int count) {
    int i = element_of(block);
    if (i < count) y[i] = weights[labels[i]];
}
