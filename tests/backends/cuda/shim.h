// What the kernels' text finds in place of CUDA: its words, for g++. The machine behind them is machine.cpp. Without
// headers, so that a module compiles in a moment.
#pragma once
#define NNCTL_EMULATED 1
#define __global__
#define __device__
#define __host__
#define __grid_constant__
#define __forceinline__ inline
#define __noinline__
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __align__(n) alignas(n)
#define __restrict__ __restrict

// -- the machine ---------------------------------------------------------------------

struct Index3 { unsigned x, y, z; };
enum Meeting { MEET, SHUFFLE, BALLOT };
extern "C" {
extern Index3 emulated_thread, emulated_block, emulated_threads, emulated_blocks;
float* emulated_shared();
void emulated_barrier(const char* where);
unsigned long long emulated_warp(Meeting, unsigned mask, unsigned long long value, int lane, const char* where);
void emulated_cluster_barrier(const char* where);
void emulated_spin(const char* where);
void emulated_copy(float* to, const float* from, int count, int of);
void emulated_close_copies();
void emulated_await_copies(int left);
}
#define threadIdx emulated_thread
#define blockIdx emulated_block
#define blockDim emulated_threads
#define gridDim emulated_blocks

#define EMULATED_TEXT(line) #line
#define EMULATED_LINE(line) EMULATED_TEXT(line)
#define EMULATED_HERE __FILE__ ":" EMULATED_LINE(__LINE__)

#define __syncthreads() emulated_barrier(EMULATED_HERE)
#define __threadfence()
#define __threadfence_block()
// What a loop that waits for another block calls: it gives the core away.
#define SPIN() emulated_spin(EMULATED_HERE)

#define EMULATED_MASK(mask, ...) mask
#define __syncwarp(...) emulated_warp(MEET, EMULATED_MASK(__VA_ARGS__ __VA_OPT__(,) 0xffffffffu), 0, 0, EMULATED_HERE)
#define __ballot_sync(mask, truth) unsigned(emulated_warp(BALLOT, mask, (truth) != 0, 0, EMULATED_HERE))
#define __any_sync(mask, truth) (__ballot_sync(mask, truth) != 0u)
#define __all_sync(mask, truth) (__ballot_sync(mask, !(truth)) == 0u)

template <class T> static T emulated_shuffled(unsigned mask, T value, int lane, const char* where) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    bits = emulated_warp(SHUFFLE, mask, bits, lane, where);
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}
// A lane outside the warp is the thread's own.
static inline int emulated_lane(int lane) { return lane >= 0 && lane < 32 ? lane : int(threadIdx.x % 32); }
#define EMULATED_SELF int(threadIdx.x % 32)
#define __shfl_sync(mask, value, lane) emulated_shuffled(mask, value, (lane) & 31, EMULATED_HERE)
#define __shfl_xor_sync(mask, value, lanes) emulated_shuffled(mask, value, EMULATED_SELF ^ (lanes), EMULATED_HERE)
#define __shfl_down_sync(mask, value, lanes) \
    emulated_shuffled(mask, value, emulated_lane(EMULATED_SELF + (lanes)), EMULATED_HERE)
#define __shfl_up_sync(mask, value, lanes) \
    emulated_shuffled(mask, value, emulated_lane(EMULATED_SELF - (lanes)), EMULATED_HERE)

// Not of floats: their sums would depend on who comes first.
#define EMULATED_ATOMICS(T) \
    static inline T atomicAdd(T* place, T value) { T old = *place; *place = old + value; return old; } \
    static inline T atomicExch(T* place, T value) { T old = *place; *place = value; return old; } \
    static inline T atomicMax(T* place, T value) { T old = *place; *place = old > value ? old : value; return old; } \
    static inline T atomicMin(T* place, T value) { T old = *place; *place = old < value ? old : value; return old; } \
    static inline T atomicCAS(T* place, T expected, T value) { \
        T old = *place; \
        if (old == expected) *place = value; \
        return old; \
    }
EMULATED_ATOMICS(int)
EMULATED_ATOMICS(unsigned)
EMULATED_ATOMICS(unsigned long long)

// -- mathematics ---------------------------------------------------------------------

#define EMULATED_FUNCTION(name) extern "C" float name##f(float); extern "C" double name(double);
#define EMULATED_OF_TWO(name) extern "C" float name##f(float, float); extern "C" double name(double, double);
EMULATED_FUNCTION(exp) EMULATED_FUNCTION(exp2) EMULATED_FUNCTION(expm1) EMULATED_FUNCTION(log)
EMULATED_FUNCTION(log1p) EMULATED_FUNCTION(log2) EMULATED_FUNCTION(log10) EMULATED_FUNCTION(sqrt)
EMULATED_FUNCTION(sin) EMULATED_FUNCTION(cos) EMULATED_FUNCTION(tan) EMULATED_FUNCTION(sinh)
EMULATED_FUNCTION(cosh) EMULATED_FUNCTION(tanh) EMULATED_FUNCTION(asin) EMULATED_FUNCTION(acos)
EMULATED_FUNCTION(atan) EMULATED_FUNCTION(erf) EMULATED_FUNCTION(erfc) EMULATED_FUNCTION(cbrt)
EMULATED_FUNCTION(lgamma) EMULATED_FUNCTION(fabs) EMULATED_FUNCTION(floor) EMULATED_FUNCTION(ceil)
EMULATED_FUNCTION(round) EMULATED_FUNCTION(rint) EMULATED_FUNCTION(trunc)
EMULATED_OF_TWO(fmin) EMULATED_OF_TWO(fmax) EMULATED_OF_TWO(pow) EMULATED_OF_TWO(fmod) EMULATED_OF_TWO(atan2)
EMULATED_OF_TWO(copysign)
extern "C" float fmaf(float, float, float);
extern "C" double fma(double, double, double);
extern "C" float ldexpf(float, int);
extern "C" void sincosf(float, float*, float*);
static inline float cospif(float x) { return float(cos(3.14159265358979323846 * double(x))); }
static inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
static inline bool isnan(float x) { return __builtin_isnan(x); }
static inline bool isinf(float x) { return __builtin_isinf(x); }
static inline bool isfinite(float x) { return __builtin_isfinite(x); }

template <class T> static inline T emulated_smaller(T a, T b) { return b < a ? b : a; }
template <class T> static inline T emulated_larger(T a, T b) { return a < b ? b : a; }
#define EMULATED_ORDERED(T) \
    static inline T min(T a, T b) { return emulated_smaller(a, b); } \
    static inline T max(T a, T b) { return emulated_larger(a, b); }
EMULATED_ORDERED(int) EMULATED_ORDERED(unsigned) EMULATED_ORDERED(long long) EMULATED_ORDERED(unsigned long long)
static inline float min(float a, float b) { return fminf(a, b); }
static inline float max(float a, float b) { return fmaxf(a, b); }
static inline int abs(int x) { return x < 0 ? -x : x; }

template <class To, class From> static inline To emulated_bits(From from) {
    static_assert(sizeof(To) == sizeof(From), "of one size");
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
static inline float __int_as_float(int bits) { return emulated_bits<float>(bits); }
static inline int __float_as_int(float x) { return emulated_bits<int>(x); }
static inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
static inline float __uint_as_float(unsigned bits) { return emulated_bits<float>(bits); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(((unsigned long long)a * b) >> 32); }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
template <class T> static inline T __ldg(const T* place) { return *place; }

// -- vectors -------------------------------------------------------------------------

#define EMULATED_VECTOR(T, name) \
    struct alignas(2 * sizeof(T)) name##2 { T x, y; }; \
    struct alignas(16) name##4 { T x, y, z, w; }; \
    static inline name##2 make_##name##2(T x, T y) { return {x, y}; } \
    static inline name##4 make_##name##4(T x, T y, T z, T w) { return {x, y, z, w}; }
EMULATED_VECTOR(float, float)
EMULATED_VECTOR(int, int)
EMULATED_VECTOR(unsigned, uint)
struct alignas(4) uchar4 { unsigned char x, y, z, w; };
