// The kernels of convolutions, which multiply in the precision OPERANDS. Their tiles, which convolution.py has, too, are
// those among many that were the fastest where they were timed: of pictures, and of kernels.

#if OPERANDS == FLOAT32
typedef Tile<128, 64, 16, 2, 8, 4, OPERANDS> WidePicture;
typedef Tile<128, 32, 16, 2, 8, 4, OPERANDS> NarrowPicture;
typedef Tile<32, 32, 32, 2, 4, 8, OPERANDS> SmallPicture;
typedef Tile<64, 64, 32, 2, 8, 8, OPERANDS> WideKernel;
typedef Tile<64, 32, 32, 3, 4, 8, OPERANDS> NarrowKernel;
typedef Tile<32, 32, 32, 3, 4, 8, OPERANDS> SmallKernel;
#else
typedef Tile<128, 64, 32, 3, 2, 4, OPERANDS> WidePicture;
typedef Tile<256, 32, 16, 3, 2, 4, OPERANDS> NarrowPicture;
typedef Tile<64, 32, 64, 3, 2, 4, OPERANDS> SmallPicture;
typedef Tile<128, 64, 32, 3, 4, 4, OPERANDS> WideKernel;
typedef Tile<64, 32, 64, 3, 2, 4, OPERANDS> NarrowKernel;
typedef Tile<32, 32, 64, 3, 1, 4, OPERANDS> SmallKernel;
#endif

KERNEL convolution_wide(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<WidePicture>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_wide(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<WidePicture>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_wide(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<WideKernel>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_narrow(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<NarrowPicture>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_narrow(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<NarrowPicture>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_narrow(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<NarrowKernel>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_small(
    Block block, const float* x, const float* w, const float* beside, float* y, int parts, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve<SmallPicture>(block, x, w, beside, y, parts, way, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_small(
    Block block, const float* y, const float* w, float* x, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_transposed<SmallPicture>(block, y, w, x, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_small(
    Block block, const float* x, const float* y, float* w, int parts, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_to_kernel<SmallKernel>(block, x, y, w, parts, Geometry{images, height, width, channels, rows, columns,
        filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}
