// What softmax and its likelihoods share: the exponentials of a row, none of which overflows.
#ifndef NNCTL_SOFTMAX
#define NNCTL_SOFTMAX

// The largest z of a row, and Σ e^(z − largest).
struct Exponentials {
    float largest, sum;
};

// `length` is 0 for threads without a row; all threads of the block must come here together.
DEVICE Exponentials exponentials_of(Block block, Row row, const float* z, int length) {
    float largest = -INFINITE, sum = 0.0f;
    for (int j = row.lane; j < length; j += row.threads) largest = larger(largest, z[j]);
    largest = row_max(block, row, largest);
    for (int j = row.lane; j < length; j += row.threads) sum += expf(z[j] - largest);
    return Exponentials{largest, row_sum(block, row, sum)};
}

DEVICE void put_softmax(float* a, Row row, const float* z, int length, Exponentials of) {
    float scale = 1.0f / of.sum;
    for (int j = row.lane; j < length; j += row.threads) a[j] = expf(z[j] - of.largest) * scale;
}

#endif
