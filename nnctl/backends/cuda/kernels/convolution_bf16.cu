// Convolutions by tensor cores, operands rounded to bfloat16.

#include "mma.cuh"
#include "ends.cuh"
#include "geometry.cuh"
#include "copies.cuh"
#include "panels.cuh"
#include "tiles.cuh"
#include "convolution.cuh"

#define OPERANDS BF16
#include "convolution_kernels.cuh"
