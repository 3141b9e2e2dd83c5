// A GPU of one core: the kernels' text, compiled by g++. Each thread of a block is a fiber; a barrier gives
// the core to the next one. Shared memory and fresh stacks hold nothing of use; a barrier that some threads
// never reach is an error, told by its line.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#define NNCTL_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __shared__
#define __restrict__ __restrict

struct Index3 { unsigned x, y, z; };
static Index3 threadIdx, blockIdx, blockDim, gridDim;

static inline float __int_as_float(int bits) { float x; std::memcpy(&x, &bits, 4); return x; }
static inline int __float_as_int(float x) { int bits; std::memcpy(&bits, &x, 4); return bits; }
static inline unsigned __float_as_uint(float x) { unsigned bits; std::memcpy(&bits, &x, 4); return bits; }
static inline float __uint_as_float(unsigned bits) { float x; std::memcpy(&x, &bits, 4); return x; }
struct alignas(8) float2 { float x, y; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
struct alignas(16) float4 { float x, y, z, w; };
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((uint64_t(a) * b) >> 32); }
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }
static inline float fminf_(float a, float b) { return std::fmin(a, b); }
using std::isfinite; using std::isnan; using std::isinf;

namespace emulated {

enum State { READY, AT_BARRIER, AT_WARP, DONE };

struct Fiber {
    void* stack_pointer;
    char* stack;
    State state;
    Index3 thread, block;
    int barriers, line;
    float* shared;
};

static const size_t STACK = 128 * 1024;
static std::vector<Fiber> fibers;
static void* scheduler_stack;
static int current;
static void (*entry)(void**);
static void** given;
static char message[256];
static uint64_t slots[1 << 16];

extern "C" void emulated_switch(void** save, void* load);
#if defined(__x86_64__)
asm(".text\n.hidden emulated_switch\n.globl emulated_switch\nemulated_switch:\n"
    "pushq %rbp\npushq %rbx\npushq %r12\npushq %r13\npushq %r14\npushq %r15\n"
    "movq %rsp, (%rdi)\nmovq %rsi, %rsp\n"
    "popq %r15\npopq %r14\npopq %r13\npopq %r12\npopq %rbx\npopq %rbp\nret\n");
#else
#error "the emulated device switches fibers on x86-64 alone"
#endif

static void yield_as(State state) {
    fibers[current].state = state;
    emulated_switch(&fibers[current].stack_pointer, scheduler_stack);
}

static void body() {
    entry(given);
    yield_as(DONE);
    abort();
}

static void prepare(Fiber& fiber) {
    if (!fiber.stack) fiber.stack = static_cast<char*>(std::aligned_alloc(64, STACK));
    void** top = reinterpret_cast<void**>(fiber.stack + STACK - 64);
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(&body);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    fiber.stack_pointer = top;
    fiber.state = READY;
    fiber.barriers = 0;
}

static void resume(int number) {
    current = number;
    threadIdx = fibers[number].thread;
    blockIdx = fibers[number].block;
    emulated_switch(&scheduler_stack, fibers[number].stack_pointer);
}

static void barrier(int line) {
    fibers[current].line = line;
    fibers[current].barriers += 1;
    yield_as(AT_BARRIER);
}

static void warp_barrier(int line) {
    fibers[current].line = line;
    yield_as(AT_WARP);
}

template <class T> static T exchanged(T value, int other, int line) {
    int first = current / 32 * 32;
    std::memcpy(&slots[current], &value, sizeof(T));
    warp_barrier(line);
    T found;
    std::memcpy(&found, &slots[first + (other & 31)], sizeof(T));
    warp_barrier(line);
    return found;
}

// The order of fibers: 0 ascending, 1 descending, from 2 on shuffled by that number.
static void ordered(std::vector<int>& numbers, unsigned order) {
    int n = int(numbers.size());
    for (int i = 0; i < n; ++i) numbers[i] = order == 1 ? n - 1 - i : i;
    if (order < 2) return;
    uint64_t state = order * 0x9E3779B97F4A7C15ull;
    for (int i = n - 1; i > 0; --i) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(numbers[i], numbers[(state >> 33) % (i + 1)]);
    }
}

// Run the fibers of the present block to their end; false where a barrier is not reached by all.
static bool run_block(const std::vector<int>& numbers) {
    int n = int(numbers.size());
    for (;;) {
        int done = 0, waiting = 0;
        bool moved = false;
        for (int number : numbers) {
            if (fibers[number].state == READY) { resume(number); moved = true; }
        }
        for (int w = 0; w < n; w += 32) {
            int at = 0, size = n - w < 32 ? n - w : 32;
            for (int i = w; i < w + size; ++i) at += fibers[i].state == AT_WARP;
            if (at == size) { for (int i = w; i < w + size; ++i) fibers[i].state = READY; moved = true; }
        }
        for (int i = 0; i < n; ++i) { done += fibers[i].state == DONE; waiting += fibers[i].state == AT_BARRIER; }
        if (done == n) return true;
        if (waiting == n) { for (int i = 0; i < n; ++i) fibers[i].state = READY; continue; }
        if (!moved) {
            for (int i = 0; i < n; ++i)
                if (fibers[i].state != DONE) {
                    std::snprintf(message, sizeof message, "the barrier of line %d is not reached by all threads: "
                                  "%d of %d have ended", fibers[i].line, done, n);
                    return false;
                }
        }
    }
}

}  // namespace emulated

#define __syncthreads() emulated::barrier(__LINE__)
#define __syncwarp(...) emulated::warp_barrier(__LINE__)
#define __shfl_xor_sync(mask, value, lanes) emulated::exchanged(value, int(threadIdx.x % 32) ^ (lanes), __LINE__)
#define __shfl_sync(mask, value, lane) emulated::exchanged(value, lane, __LINE__)
#define __shfl_down_sync(mask, value, lanes) \
    emulated::exchanged(value, int(threadIdx.x % 32) + (lanes) < 32 ? int(threadIdx.x % 32) + (lanes) : int(threadIdx.x % 32), __LINE__)
#define __threadfence()

static float shared[(200 * 1024) / 4] __attribute__((aligned(64)));
#define extern_shared

// As cuLaunchKernel: arguments are addresses of the arguments. Null where all went well, else what did not.
extern "C" const char* emulated_launch(
    void (*kernel)(void**), void** arguments, int blocks, int threads, int bytes, unsigned order) {
    using namespace emulated;
    entry = kernel;
    given = arguments;
    fibers.resize(fibers.size() < size_t(threads) ? threads : fibers.size());
    std::vector<int> numbers(threads), places(blocks);
    ordered(places, order);
    blockDim = {unsigned(threads), 1, 1};
    gridDim = {unsigned(blocks), 1, 1};
    for (int place = 0; place < blocks; ++place) {
        std::memset(shared, 0xff, sizeof shared);
        ordered(numbers, order < 2 ? order : order + place);
        for (int i = 0; i < threads; ++i) {
            prepare(fibers[i]);
            fibers[i].thread = {unsigned(i), 0, 0};
            fibers[i].block = {unsigned(places[place]), 0, 0};
        }
        if (!run_block(numbers)) return message;
        for (size_t i = (size_t(bytes) + 3) / 4; i < sizeof shared / 4; ++i)
            if (__float_as_int(shared[i]) != -1) {
                std::snprintf(message, sizeof message, "shared memory is written at byte %zu of %d", 4 * i, bytes);
                return message;
            }
    }
    return nullptr;
}
