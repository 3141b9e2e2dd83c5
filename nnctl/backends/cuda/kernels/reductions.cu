// Reductions of an array that lies in memory; those of formulas are generated.

#include "reductions.cuh"

KERNEL sums(
    Block block, const float* x, float* y, int outer, int length, int inner, int parts, int width, int depth, float scale) {
    float sum[1];
    auto elements = [=](int i, float* made) { made[0] = x[i]; };
    int at = reduce_part<false, 1>(block, elements, outer, length, inner, parts, width, depth, sum);
    if (at >= 0) y[at] = sum[0] * scale;
}

KERNEL maxima(
    Block block, const float* x, float* y, int outer, int length, int inner, int parts, int width, int depth, float scale) {
    float largest[1];
    auto elements = [=](int i, float* made) { made[0] = x[i]; };
    int at = reduce_part<true, 1>(block, elements, outer, length, inner, parts, width, depth, largest);
    if (at >= 0) y[at] = largest[0] * scale;
}
