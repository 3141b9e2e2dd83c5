// Convolutions in float32.

#include "mma.cuh"
#include "ends.cuh"
#include "geometry.cuh"
#include "copies.cuh"
#include "panels.cuh"
#include "tiles.cuh"
#include "convolution.cuh"

// Two blocks of a multiprocessor wait in turn.
#define BLOCKS_HELD 2
#define OPERANDS FLOAT32
#include "convolution_kernels.cuh"
