// Classes of examples, row by row.

// e^(z − max) / Σ: one block a row.
KERNEL softmax(Block block, const float* z, float* a, int columns) {
    const float* row = z + block.index * columns;
    float largest = -INFINITE;
    for (int j = threadIdx.x; j < columns; j += THREADS) largest = larger(row[j], largest);
    largest = block_max(block, largest);
    float sum = 0.0f;
    for (int j = threadIdx.x; j < columns; j += THREADS) sum += expf(row[j] - largest);
    float scale = 1.0f / block_sum(block, sum);
    for (int j = threadIdx.x; j < columns; j += THREADS) a[block.index * columns + j] = expf(row[j] - largest) * scale;
}
