// Convolutions of groups that are too small for tiles, depthwise ones above all: a thread an element. Neighbouring
// threads have neighbouring channels, so that what they read lies side by side. See geometry.cuh for the numbers.

#include "geometry.cuh"

KERNEL grouped_convolution(
    Block block, const float* x, const float* w, float* y, int images, int height, int width, int channels, int rows,
    int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across, int top,
    int left, int groups) {
    int e = element_of(block), each = channels / groups;
    if (e >= images * rows * columns * filters) return;
    int f = e % filters, m = e / filters, q = m % columns, p = m / columns % rows;
    const float* image = x + m / (rows * columns) * height * width * channels + f / (filters / groups) * each;
    float sum = 0.0f;
    for (int a = 0; a < kh; ++a) {
        int i = p * down - top + a * spread_down;
        if (unsigned(i) >= unsigned(height)) continue;
        for (int b = 0; b < kw; ++b) {
            int j = q * across - left + b * spread_across;
            if (unsigned(j) >= unsigned(width)) continue;
            const float* pixel = image + (i * width + j) * channels;
            const float* weights = w + (a * kw + b) * each * filters + f;
            for (int c = 0; c < each; ++c) sum = fmaf(pixel[c], weights[c * filters], sum);
        }
    }
    y[e] = sum;
}

KERNEL grouped_convolution_transpose(
    Block block, const float* y, const float* w, float* x, int images, int height, int width, int channels, int rows,
    int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across, int top,
    int left, int groups) {
    int e = element_of(block), each = channels / groups, made = filters / groups;
    if (e >= images * height * width * channels) return;
    int c = e % channels, pixel = e / channels, j = pixel % width, i = pixel / width % height, group = c / each;
    const float* gradients = y + pixel / (height * width) * rows * columns * filters + group * made;
    float sum = 0.0f;
    for (int a = 0; a < kh; ++a) {
        int p = i + top - a * spread_down;  // times the stride
        if (p < 0 || p % down != 0 || p / down >= rows) continue;
        for (int b = 0; b < kw; ++b) {
            int q = j + left - b * spread_across;
            if (q < 0 || q % across != 0 || q / across >= columns) continue;
            const float* gradient = gradients + (p / down * columns + q / across) * filters;
            const float* weights = w + ((a * kw + b) * each + c % each) * filters + group * made;
            for (int f = 0; f < made; ++f) sum = fmaf(gradient[f], weights[f], sum);
        }
    }
    x[e] = sum;
}

// Of `parts` parts of the rows of positions each block has one, and of the kernel an element a thread.
KERNEL grouped_convolution_kernel(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    int each = channels / groups, count = kh * kw * each * filters, tiles = (count + THREADS - 1) / THREADS;
    int part = block.index / tiles, e = block.index % tiles * THREADS + int(threadIdx.x);
    if (e >= count) return;
    int f = e % filters, k = e / filters, place = k / each, channel = f / (filters / groups) * each + k % each;
    int i0 = place / kw * spread_down - top, j0 = place % kw * spread_across - left;
    // The columns whose windows have this place inside the picture.
    int first = j0 < 0 ? (-j0 + across - 1) / across : 0;
    int last = j0 < width ? min(columns, (width - 1 - j0) / across + 1) : 0;
    int lines = images * rows, share = (lines + parts - 1) / parts, end = min(lines, (part + 1) * share);
    float sum = 0.0f;
    for (int line = part * share; line < end; ++line) {
        int i = line % rows * down + i0;
        if (unsigned(i) >= unsigned(height)) continue;
        const float* pixel = x + ((line / rows * height + i) * width + first * across + j0) * channels + channel;
        const float* gradient = y + (line * columns + first) * filters + f;
#pragma unroll 4
        for (int q = first; q < last; ++q, pixel += across * channels, gradient += filters)
            sum = fmaf(*pixel, *gradient, sum);
    }
    w[part * count + e] = sum;
}
