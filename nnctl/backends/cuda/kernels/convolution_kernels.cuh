// The kernels of convolutions, which multiply in the precision OPERANDS. Panels for tensor cores are deeper: a fragment
// product takes 8 or 16 steps of the sum, and all slices of a panel have some.

#if OPERANDS == FLOAT32
#define TILE_128x64 128, 64, 8, OPERANDS
#define TILE_128x32 128, 32, 16, OPERANDS
#else
#define TILE_128x64 128, 64, 16, OPERANDS
#define TILE_128x32 128, 32, 32, OPERANDS
#endif
#define TILE_32x32 32, 32, 32, OPERANDS

KERNEL convolution_128x64(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<TILE_128x64>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_128x64(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<TILE_128x64>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_128x64(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<TILE_128x64>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_128x32(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<TILE_128x32>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_128x32(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<TILE_128x32>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_128x32(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<TILE_128x32>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_32x32(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<TILE_32x32>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_32x32(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<TILE_32x32>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_32x32(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<TILE_32x32>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}
