// Elements moved, not computed with: joined, sliced, padded, cast, repeated. Where an axis is cut or joined, an
// array is seen as rows of consecutive elements; lengths count packs of WIDTH elements, one a thread.

template <int WIDTH, class T>
DEVICE void cut(const T* x, T* y, int number, int width, int row, int start) {
    int line = number / width;
    put_pack(y, number, pack_at<WIDTH>(x, line * row + start + number - line * width));
}

// y (·, width) ← x (·, row) from `start` on.
KERNEL slice_real(Block block, const float* x, float* y, int count, int pack, int width, int row, int start) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) cut<4>(x, y, i, width, row, start);
    else cut<1>(x, y, i, width, row, start);
}

KERNEL slice_index(Block block, const long long* x, long long* y, int count, int width, int row, int start) {
    int i = element_of(block);
    if (i < count) cut<1>(x, y, i, width, row, start);
}

KERNEL slice_uint8(Block block, const unsigned char* x, unsigned char* y, int count, int width, int row, int start) {
    int i = element_of(block);
    if (i < count) cut<1>(x, y, i, width, row, start);
}

template <int WIDTH>
DEVICE void widen(const float* x, float* y, int number, int width, int row, int start) {
    int line = number / row, k = number - line * row - start;
    bool inside = k >= 0 && k < width;
    put_pack(y, number, inside ? pack_at<WIDTH>(x, line * width + k) : all_of<WIDTH>(0.0f));
}

// y (·, row) ← x (·, width) from `start` on, zeros around it.
KERNEL pad(Block block, const float* x, float* y, int count, int pack, int width, int row, int start) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) widen<4>(x, y, i, width, row, start);
    else widen<1>(x, y, i, width, row, start);
}

template <int WIDTH>
DEVICE void join(const float* a, const float* b, const float* c, const float* d, float* y, int number, int wide_a,
                 int wide_b, int wide_c, int wide_d, int row, int start) {
    int width = wide_a + wide_b + wide_c + wide_d;
    int line = number / width, k = number - line * width;
    int target = line * row + start + k;
    const float* x = d;
    int wide = wide_d;
    if (k < wide_a) { x = a; wide = wide_a; }
    else if ((k -= wide_a) < wide_b) { x = b; wide = wide_b; }
    else if ((k -= wide_b) < wide_c) { x = c; wide = wide_c; }
    else k -= wide_c;
    put_pack(y, target, pack_at<WIDTH>(x, line * wide + k));
}

// The rows of a, b, c and d side by side in y (·, row), from `start` on.
KERNEL concatenate(Block block, const float* a, const float* b, const float* c, const float* d, float* y, int count,
                   int pack, int wide_a, int wide_b, int wide_c, int wide_d, int row, int start) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) join<4>(a, b, c, d, y, i, wide_a, wide_b, wide_c, wide_d, row, start);
    else join<1>(a, b, c, d, y, i, wide_a, wide_b, wide_c, wide_d, row, start);
}

template <int WIDTH, class T> DEVICE void as_real(const T* x, float* y, int number) {
    Pack<T, WIDTH> found = pack_at<WIDTH>(x, number);
    Pack<float, WIDTH> made;
    for (int k = 0; k < WIDTH; ++k) made.at[k] = float(found.at[k]);
    put_pack(y, number, made);
}

KERNEL cast_real(Block block, const float* x, float* y, int count, int pack) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) as_real<4>(x, y, i);
    else as_real<1>(x, y, i);
}

KERNEL cast_index(Block block, const long long* x, float* y, int count, int pack) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) as_real<4>(x, y, i);
    else as_real<1>(x, y, i);
}

KERNEL cast_uint8(Block block, const unsigned char* x, float* y, int count, int pack) {
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) as_real<4>(x, y, i);
    else as_real<1>(x, y, i);
}

// The place in x of the first element of a pack of y.
DEVICE int repeated_at(int number, int n1, int n2, int n3, int n4, int s0, int s1, int s2, int s3, int s4) {
    int lines = number / n4, planes = lines / n3, volumes = planes / n2, rest = volumes / n1;
    return (number - lines * n4) * s4 + (lines - planes * n3) * s3 + (planes - volumes * n2) * s2 +
           (volumes - rest * n1) * s1 + rest * s0;
}

// y (·, n1, n2, n3, n4) ← x, whose element moves by s0 … s4 along these axes: by 0 along those where it is repeated.
KERNEL broadcast_to(Block block, const float* x, float* y, int count, int pack, int n1, int n2, int n3, int n4, int s0,
                    int s1, int s2, int s3, int s4) {
    int i = element_of(block);
    if (i >= count) return;
    const float* first = x + repeated_at(i, n1, n2, n3, n4, s0, s1, s2, s3, s4);
    if (pack == 1) y[i] = first[0];
    else put_pack(y, i, s4 == 0 ? all_of<4>(first[0]) : pack_at<4>(first, 0));
}
