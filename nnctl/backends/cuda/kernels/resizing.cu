// An axis made longer or shorter by taps: x (outer, read, inner), y (outer, made, inner); one thread makes one number.
// ends: behind the last tap of each number along the axis; places and weights: of all taps, one behind the other. Tables
// are of float, which has whole numbers up to 2²⁴.

KERNEL resize(Block block, const float* x, const float* ends, const float* places, const float* weights, float* y,
              int count, int read, int made, int inner) {
    int i = element_of(block);
    if (i >= count) return;
    int line = i / inner, k = i - line * inner;
    int outer = line / made, number = line - outer * made;
    int first = number ? int(ends[number - 1]) : 0, end = int(ends[number]);
    float sum = 0.0f;
    for (int tap = first; tap < end; ++tap) {
        sum += weights[tap] * x[(outer * read + int(places[tap])) * inner + k];
    }
    y[i] = sum;
}
