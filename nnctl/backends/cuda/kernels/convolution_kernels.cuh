// The kernels of convolutions, which multiply in the precision OPERANDS. Tiles: see convolution.py, which has them too.

#if OPERANDS == FLOAT32
typedef Tile<128, 64, 16, 3, 8, 8, FLOAT32> Tile128x64;
typedef Tile<128, 32, 32, 3, 8, 8, FLOAT32> Tile128x32;
typedef Tile<32, 32, 32, 3, 4, 8, FLOAT32> Tile32x32;
#else
typedef Tile<128, 64, 32, 3, 2, 4, OPERANDS> Tile128x64;
typedef Tile<128, 32, 32, 3, 2, 4, OPERANDS> Tile128x32;
typedef Tile<32, 32, 64, 3, 1, 4, OPERANDS> Tile32x32;
#endif

KERNEL convolution_128x64(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<Tile128x64>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_128x64(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<Tile128x64>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_128x64(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<Tile128x64>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_128x32(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<Tile128x32>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_128x32(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<Tile128x32>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_128x32(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<Tile128x32>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_32x32(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<Tile32x32>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_32x32(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<Tile32x32>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_32x32(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<Tile32x32>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}
