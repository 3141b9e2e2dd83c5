// Log-likelihoods of labels, row by row: some neighbouring threads share a row, as many as `threads` says.

#include "softmax.cuh"

// q_k: what the log-likelihood weighs −ln a_k with.
DEVICE float share(int label, int k, float hot, float smooth, const float* weights) {
    return weights[k] * ((label == k ? hot : 0.0f) + smooth);
}

// ln Σ_k e^(z_k) − z_y.
KERNEL softmax_log_likelihood(
    Block block, const float* z, const long long* labels, float* y, int rows, int columns, int threads) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0;
    const float* of = z + row.number * columns;
    Exponentials found = exponentials_of(block, row, of, mine);
    if (row.lane == 0 && mine > 0) y[row.number] = logf(found.sum) - (of[labels[row.number]] - found.largest);
}

// The same, and softmax(z): what training needs of both, z read once.
KERNEL softmax_and_log_likelihood(
    Block block, const float* z, const long long* labels, float* a, float* y, int rows, int columns, int threads) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0;
    const float* of = z + row.number * columns;
    Exponentials found = exponentials_of(block, row, of, mine);
    put_softmax(a + row.number * columns, row, of, mine, found);
    if (row.lane == 0 && mine > 0) y[row.number] = logf(found.sum) - (of[labels[row.number]] - found.largest);
}

// −Σ_k q_k ln softmax(z)_k. hot: what the label's class has more than the others, smooth: what each has.
KERNEL softmax_log_likelihood_weighted(
    Block block, const float* z, const long long* labels, const float* weights, float* y,
    int rows, int columns, int threads, float hot, float smooth) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0, label = mine > 0 ? int(labels[row.number]) : 0;
    const float* of = z + row.number * columns;
    Exponentials found = exponentials_of(block, row, of, mine);
    float normalizer = logf(found.sum), cost = 0.0f;
    for (int k = row.lane; k < mine; k += threads) {
        cost -= share(label, k, hot, smooth, weights) * (of[k] - found.largest - normalizer);
    }
    cost = row_sum(block, row, cost);
    if (row.lane == 0 && mine > 0) y[row.number] = cost;
}

// −ln a_y.
KERNEL log_likelihood(Block block, const float* a, const long long* labels, float* y, int rows, int columns) {
    int i = element_of(block);
    if (i < rows) y[i] = -logf(a[i * columns + labels[i]]);
}

// −Σ_k q_k ln a_k, 0·ln 0 being 0.
KERNEL log_likelihood_weighted(
    Block block, const float* a, const long long* labels, const float* weights, float* y,
    int rows, int columns, int threads, float hot, float smooth) {
    Row row = row_of(block, threads);
    int mine = row.number < rows ? columns : 0, label = mine > 0 ? int(labels[row.number]) : 0;
    float cost = 0.0f;
    for (int k = row.lane; k < mine; k += threads) {
        float q = share(label, k, hot, smooth, weights);
        cost -= q * logf(q != 0.0f ? a[row.number * columns + k] : 1.0f);
    }
    cost = row_sum(block, row, cost);
    if (row.lane == 0 && mine > 0) y[row.number] = cost;
}

// q of each example.
KERNEL target_distribution(
    Block block, const long long* labels, const float* weights, float* y, int count, int classes, float hot, float smooth) {
    int i = element_of(block);
    if (i < count) y[i] = share(int(labels[i / classes]), i % classes, hot, smooth, weights);
}
