// Convolutions by steps of one, by tensor cores, operands rounded to TF32.

#include "mma.cuh"
#include "ends.cuh"
#include "geometry.cuh"
#include "copies.cuh"
#include "panels.cuh"
#include "tiles.cuh"
#include "convolution.cuh"
#include "pictures.cuh"
#include "places.cuh"

typedef Tile<256, 32, 32, 3, 2, 4, TF32> Picture256x32;
typedef Tile<128, 32, 32, 3, 2, 4, TF32> Picture128x32;

KERNEL convolution_picture_256x32(
    Block block, const float* x, const float* w, const float* beside, float* y, int floats, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve_picture<Picture256x32>(block, x, w, beside, y, floats, way, Geometry{images, height, width, channels, rows,
        columns, filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_picture_256x32(
    Block block, const float* y, const float* w, float* x, int floats, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_picture_transposed<Picture256x32>(block, y, w, x, floats, Geometry{images, height, width, channels, rows,
        columns, filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_picture_128x32(
    Block block, const float* x, const float* w, const float* beside, float* y, int floats, int way, int images,
    int height, int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across,
    int spread_down, int spread_across, int top, int left, int groups) {
    convolve_picture<Picture128x32>(block, x, w, beside, y, floats, way, Geometry{images, height, width, channels, rows,
        columns, filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_transpose_picture_128x32(
    Block block, const float* y, const float* w, float* x, int floats, int images, int height, int width, int channels,
    int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down, int spread_across,
    int top, int left, int groups) {
    convolve_picture_transposed<Picture128x32>(block, y, w, x, floats, Geometry{images, height, width, channels, rows,
        columns, filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}

KERNEL convolution_kernel_places(
    Block block, const float* x, const float* y, float* w, int parts, int lines, int high, int images, int height,
    int width, int channels, int rows, int columns, int filters, int kh, int kw, int down, int across, int spread_down,
    int spread_across, int top, int left, int groups) {
    convolve_to_kernel_by_places(block, x, y, w, parts, lines, high, Geometry{images, height, width, channels, rows,
        columns, filters, kh, kw, down, across, spread_down, spread_across, top, left, groups});
}
