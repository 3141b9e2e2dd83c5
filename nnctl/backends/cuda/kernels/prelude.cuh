// What every module begins with. A kernel is a device function that does the work of one block of THREADS
// threads; grids are one-dimensional. The same function is launched by itself, through a wrapper that is
// generated from its signature, and run as a part of a persistent kernel, which walks through the blocks of
// many kernels: so it takes its place in the grid from `block`, not from blockIdx, and its shared memory too.

#define THREADS 256
#define WARP 32
#define KERNEL static __device__ __forceinline__ void
#define DEVICE static __device__ __forceinline__

struct Block {
    int index;      // of this block in its kernel's grid
    int count;      // blocks of the grid
    float* shared;  // its dynamic shared memory, aligned to 16 bytes; holds nothing of use at the start
};

#define INFINITE __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fc00000)

// The element that this thread is for, of as many as the grid has threads.
DEVICE int element_of(Block block) { return block.index * THREADS + int(threadIdx.x); }

// WIDTH neighbouring elements as one: a thread that moves 16 bytes at a time has a quarter of the instructions.
template <class T, int WIDTH> struct __align__(sizeof(T) * WIDTH) Pack {
    T at[WIDTH];
};

// Those of number `i` among an array's packs, read and written at once.
template <int WIDTH, class T> DEVICE Pack<T, WIDTH> pack_at(const T* x, int i) {
    return reinterpret_cast<const Pack<T, WIDTH>*>(x)[i];
}

template <int WIDTH, class T> DEVICE void put_pack(T* x, int i, Pack<T, WIDTH> pack) {
    reinterpret_cast<Pack<T, WIDTH>*>(x)[i] = pack;
}

template <int WIDTH> DEVICE Pack<float, WIDTH> all_of(float value) {
    Pack<float, WIDTH> pack;
    for (int k = 0; k < WIDTH; ++k) pack.at[k] = value;
    return pack;
}

DEVICE float sign_of(float x) { return x > 0.0f ? 1.0f : x < 0.0f ? -1.0f : x; }

// ln(e^a + e^b), without overflow.
DEVICE float log_add_exp(float a, float b) {
    if (a == b) return a + 0.69314718055994531f;
    float high = fmaxf(a, b), low = fminf(a, b);
    return a != a || b != b ? NOT_A_NUMBER : high + log1pf(expf(low - high));
}

DEVICE float warp_sum(float x) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
    return x;
}

// The larger of two, a NaN where there is one.
DEVICE float larger(float a, float b) { return a >= b || a != a ? a : b; }

DEVICE float warp_max(float x) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) x = larger(x, __shfl_xor_sync(0xffffffffu, x, lanes));
    return x;
}

// Bytes of shared memory that the sums and maxima of a block take, at its start.
#define ACROSS_BLOCK ((THREADS / WARP) * 4)

// Σ x of all threads of the block, in each of them; the same to the bit every time.
DEVICE float block_sum(Block block, float x) {
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0) block.shared[threadIdx.x / WARP] = x;
    __syncthreads();
    float total = 0.0f;
    for (int warp = 0; warp < THREADS / WARP; ++warp) total += block.shared[warp];
    __syncthreads();
    return total;
}

DEVICE float block_max(Block block, float x) {
    x = warp_max(x);
    if (threadIdx.x % WARP == 0) block.shared[threadIdx.x / WARP] = x;
    __syncthreads();
    float largest = block.shared[0];
    for (int warp = 1; warp < THREADS / WARP; ++warp) largest = larger(largest, block.shared[warp]);
    __syncthreads();
    return largest;
}

// A row of a matrix that some neighbouring threads share: a power of two within a warp, or the whole block.
struct Row {
    int number, lane, threads;
};

DEVICE Row row_of(Block block, int threads) {
    int thread = int(threadIdx.x);
    return Row{block.index * (THREADS / threads) + thread / threads, thread % threads, threads};
}

// Σ x of the threads of a row, in each of them. All threads of the block must come here together.
DEVICE float row_sum(Block block, Row row, float x) {
    if (row.threads == THREADS) return block_sum(block, x);
    for (int lanes = row.threads / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(0xffffffffu, x, lanes);
    return x;
}

DEVICE float row_max(Block block, Row row, float x) {
    if (row.threads == THREADS) return block_max(block, x);
    for (int lanes = row.threads / 2; lanes > 0; lanes /= 2) x = larger(x, __shfl_xor_sync(0xffffffffu, x, lanes));
    return x;
}

// What a loop calls that waits for another block. The device has nothing to do then; where one core runs all threads,
// as in the tests, it is given away.
#ifndef SPIN
#define SPIN()
#endif

// Add one to a number in global memory: what it was. All that this block wrote before is seen by whoever sees the new
// number; a fence for it would wait for an order among all threads of the device, which nobody asks for.
DEVICE unsigned arrive(int* arrived) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 700
    unsigned before;
    asm volatile("atom.acq_rel.gpu.add.u32 %0, [%1], 1;" : "=r"(before) : "l"(arrived) : "memory");
    return before;
#else
    __threadfence();
    return unsigned(atomicAdd(arrived, 1));
#endif
}

// That number, and sight of what was written before it became that.
DEVICE unsigned arrivals(const int* arrived) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 700
    unsigned found;
    asm volatile("ld.acquire.gpu.u32 %0, [%1];" : "=r"(found) : "l"(arrived) : "memory");
    return found;
#else
    unsigned found = unsigned(*(const volatile int*)arrived);
    __threadfence();
    return found;
#endif
}

// Say that this block of a cooperative launch has come here: what all of them will have come to, for the thread that
// asks. arrived: a number in global memory that all barriers of the launch share, 0 before the first one, and again
// before 2^31 blocks have come in all.
DEVICE unsigned grid_arrive(int blocks, int* arrived) {
    __syncthreads();
    return threadIdx.x == 0 ? (arrive(arrived) / unsigned(blocks) + 1u) * unsigned(blocks) : 0u;
}

// Wait until all blocks have; what they wrote before is then seen by all.
DEVICE void grid_wait(unsigned all, const int* arrived) {
    if (threadIdx.x == 0) {
        while (int(arrivals(arrived) - all) < 0) SPIN();
    }
    __syncthreads();
}

DEVICE void grid_barrier(int blocks, int* arrived) { grid_wait(grid_arrive(blocks, arrived), arrived); }
