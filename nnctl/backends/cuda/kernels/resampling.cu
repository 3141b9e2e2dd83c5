// Linear interpolation along an axis. x (outer, cells, inner), samples (outer, cells·factor, inner); one thread
// makes WIDTH neighbours along the inner axes. inner counts packs.

// A sample's share of its cell is 1 − |its distance from the cell's centre|, (2s + 1 − f)/2f: whole numbers until
// the last division, so that it is rounded once.
DEVICE int distance_of(int sample, int factor) { return 2 * sample + 1 - factor; }
DEVICE float rest_of(int distance, int factor) { return float(distance < 0 ? -distance : distance) / float(2 * factor); }
DEVICE float share_of(int distance, int factor) {
    return float(2 * factor - (distance < 0 ? -distance : distance)) / float(2 * factor);
}

template <int WIDTH>
DEVICE void sample_of(const float* x, float* y, int number, int cells, int factor, int inner) {
    int line = number / inner, k = number - line * inner;
    int place = line / factor, sample = line - place * factor;
    int cell = place % cells, first = place - cell;
    int distance = distance_of(sample, factor);
    int other = distance < 0 ? max(cell - 1, 0) : min(cell + 1, cells - 1);
    float share = share_of(distance, factor), rest = rest_of(distance, factor);
    Pack<float, WIDTH> own = pack_at<WIDTH>(x, (first + cell) * inner + k);
    Pack<float, WIDTH> beside = pack_at<WIDTH>(x, (first + other) * inner + k);
    for (int j = 0; j < WIDTH; ++j) own.at[j] = share * own.at[j] + rest * beside.at[j];
    put_pack(y, number, own);
}

// What the samples first … end − 1 of a cell give to the cell beside them.
template <int WIDTH>
DEVICE void add_rests(Pack<float, WIDTH>& sum, const float* g, int start, int first, int end, int factor, int inner) {
    Pack<float, WIDTH> part = all_of<WIDTH>(0.0f);
    for (int s = first; s < end; ++s) {
        float rest = rest_of(distance_of(s, factor), factor);
        Pack<float, WIDTH> found = pack_at<WIDTH>(g, start + s * inner);
        for (int j = 0; j < WIDTH; ++j) part.at[j] += rest * found.at[j];
    }
    for (int j = 0; j < WIDTH; ++j) sum.at[j] += part.at[j];
}

// A cell has shares of its own samples, the rest of the early ones of the next cell and of the late ones of the
// one before; at the border, of its own.
template <int WIDTH>
DEVICE void cell_of(const float* g, float* y, int number, int cells, int factor, int inner) {
    int line = number / inner, k = number - line * inner;
    int cell = line % cells, early = factor / 2;
    int step = factor * inner, start = line * step + k;
    Pack<float, WIDTH> sum = all_of<WIDTH>(0.0f);
    for (int s = 0; s < factor; ++s) {
        float share = share_of(distance_of(s, factor), factor);
        Pack<float, WIDTH> found = pack_at<WIDTH>(g, start + s * inner);
        for (int j = 0; j < WIDTH; ++j) sum.at[j] += share * found.at[j];
    }
    if (cell + 1 < cells) add_rests(sum, g, start + step, 0, early, factor, inner);
    if (cell == 0) add_rests(sum, g, start, 0, early, factor, inner);
    if (cell > 0) add_rests(sum, g, start - step, early, factor, factor, inner);
    if (cell + 1 == cells) add_rests(sum, g, start, early, factor, factor, inner);
    put_pack(y, number, sum);
}

KERNEL interpolate(Block block, const float* x, float* y, int count, int pack, int cells, int factor, int inner) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) sample_of<4>(x, y, i, cells, factor, inner);
    else sample_of<1>(x, y, i, cells, factor, inner);
}

KERNEL interpolate_transpose(Block block, const float* g, float* y, int count, int pack, int cells, int factor,
                             int inner) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) cell_of<4>(g, y, i, cells, factor, inner);
    else cell_of<1>(g, y, i, cells, factor, inner);
}
