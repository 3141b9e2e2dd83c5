// Rows of tables by index, rows added at their indices, and what is marked by an index.

// y (entries, inner) ← table[index], a pack a thread; inner counts packs.
template <int WIDTH, class T>
DEVICE void copy_row(const T* table, const long long* index, T* y, int number, int inner) {
    int entry = number / inner;
    put_pack(y, number, pack_at<WIDTH>(table + index[entry] * inner * WIDTH, number - entry * inner));
}

KERNEL rows_real(Block block, const float* table, const long long* index, float* y, int count, int pack, int inner) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) copy_row<4>(table, index, y, i, inner);
    else copy_row<1>(table, index, y, i, inner);
}

KERNEL rows_index(Block block, const long long* table, const long long* index, long long* y, int count, int pack,
                  int inner) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) copy_row<4>(table, index, y, i, inner);
    else copy_row<1>(table, index, y, i, inner);
}

KERNEL rows_uint8(Block block, const unsigned char* table, const long long* index, unsigned char* y, int count,
                  int pack, int inner) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) copy_row<4>(table, index, y, i, inner);
    else copy_row<1>(table, index, y, i, inner);
}

// A bit a lane: those of the warp for which `found` holds.
DEVICE unsigned lanes_where(bool found) {
    unsigned lanes = found ? 1u << threadIdx.x % WARP : 0u;
    for (int step = WARP / 2; step > 0; step /= 2) lanes |= __shfl_xor_sync(0xffffffffu, lanes, step);
    return lanes;
}

constexpr int AT_ONCE = 4;

// y_row ← Σ x_i over the entries whose index is `row`, of the units of this lane: each warp of the block adds up
// its entries in their order, then the warps' sums are added in theirs. Entries are read several at a time: their
// rows lie anywhere, and each would be waited for.
template <int WIDTH>
DEVICE void add_entries(Block block, const float* x, const long long* index, float* y, long long row, int entries,
                        int units, int piece) {
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    int pack = piece * WARP + lane;  // of a row's
    bool inside = pack * WIDTH < units;
    Pack<float, WIDTH> sum = all_of<WIDTH>(0.0f);
    for (int base = warp * WARP; base < entries; base += THREADS) {
        unsigned found = lanes_where(base + lane < entries && index[base + lane] == row);
        while (found) {
            Pack<float, WIDTH> given[AT_ONCE];
            for (int k = 0; k < AT_ONCE; ++k) {
                int entry = base + __ffs(found) - 1;
                given[k] = found && inside ? pack_at<WIDTH>(x + entry * units, pack) : all_of<WIDTH>(0.0f);
                found &= found - 1;
            }
            for (int k = 0; k < AT_ONCE; ++k)
                for (int j = 0; j < WIDTH; ++j) sum.at[j] += given[k].at[j];
        }
    }
    put_pack(block.shared, threadIdx.x, sum);
    __syncthreads();
    int unit = piece * WARP * WIDTH + int(threadIdx.x);
    if (int(threadIdx.x) < WARP * WIDTH && unit < units) {
        float total = 0.0f;
        for (int other = 0; other < THREADS / WARP; ++other) total += block.shared[other * WARP * WIDTH + threadIdx.x];
        y[row * units + unit] = total;
    }
}

// A block a row of the table and piece of its units: for tables that have no more rows than there are entries.
KERNEL add_rows(Block block, const float* x, const long long* index, float* y, int entries, int units, int pack,
                int pieces) {
    int row = block.index / pieces, piece = block.index - row * pieces;
    if (pack == 4) add_entries<4>(block, x, index, y, row, entries, units, piece);
    else add_entries<1>(block, x, index, y, row, entries, units, piece);
}

KERNEL zeros(Block block, float* y, int count, int pack) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) put_pack(y, i, all_of<4>(0.0f));
    else y[i] = 0.0f;
}

// The same over zeros, for tables of many rows: a block an entry and piece. The first entry of each row speaks for
// all of them.
KERNEL add_few_rows(Block block, const float* x, const long long* index, float* y, int entries, int units, int pack,
                    int pieces) {
    int own = block.index / pieces, piece = block.index - own * pieces;
    long long row = index[own];
    float earlier = 0.0f;
    for (int i = threadIdx.x; i < own; i += THREADS)
        if (index[i] == row) earlier = 1.0f;
    if (block_max(block, earlier) > 0.0f) return;  // the whole block
    if (pack == 4) add_entries<4>(block, x, index, y, row, entries, units, piece);
    else add_entries<1>(block, x, index, y, row, entries, units, piece);
}

// y (entries, classes): 1 at the label, 0 elsewhere.
KERNEL one_hot(Block block, const long long* labels, float* y, int count, int classes) {
    int i = element_of(block);
    if (i < count) y[i] = labels[i / classes] == i % classes ? 1.0f : 0.0f;
}

// 1 where an index is another than `value` + `rest`.
KERNEL differs_index(Block block, const long long* x, long long* y, int count, float value, float rest) {
    int i = element_of(block);
    if (i < count) y[i] = double(x[i]) != double(value) + double(rest);
}

// 1 where any of a step's features is another number than `value`: a warp a step.
KERNEL differs_real(Block block, const float* x, long long* y, int steps, int features, float value) {
    int step = block.index * (THREADS / WARP) + threadIdx.x / WARP;
    bool found = false;
    if (step < steps)
        for (int k = threadIdx.x % WARP; k < features; k += WARP) found = found || x[step * features + k] != value;
    unsigned lanes = lanes_where(found);
    if (step < steps && threadIdx.x % WARP == 0) y[step] = lanes != 0u;
}

// Whole numbers as indices.
KERNEL as_index(Block block, const float* x, long long* y, int count) {
    int i = element_of(block);
    if (i < count) y[i] = (long long)x[i];
}
