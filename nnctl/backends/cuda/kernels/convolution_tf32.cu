// Convolutions by tensor cores, operands rounded to TF32.

#include "mma.cuh"
#include "ends.cuh"
#include "geometry.cuh"
#include "copies.cuh"
#include "panels.cuh"
#include "tiles.cuh"
#include "convolution.cuh"

#define OPERANDS TF32
#include "convolution_kernels.cuh"
