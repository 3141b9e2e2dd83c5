// Tensor cores: what they round operands to, and products of fragments that a warp has in its registers.
//
// A fragment product adds a (16, STEP)·(STEP, 8) product to c (16, 8). With g = lane / 4 and t = lane % 4 a lane has
// c[0], c[1] at (g, 2t), (g, 2t + 1) and c[2], c[3] eight rows below. Sums are float32.
#ifndef NNCTL_MMA
#define NNCTL_MMA

#define FLOAT32 0
#define TF32 1
#define BF16 2

// x to the nearest float without the last bits; from the middle away from 0, or to the even one.
DEVICE float rounded(float x, int dropped, bool to_even) {
    if (x != x) return x;
    unsigned bits = __float_as_uint(x), half = 1u << (dropped - 1);
    bits += to_even ? half - 1 + (bits >> dropped & 1) : half;
    return __uint_as_float(bits >> dropped << dropped);
}

// What a kernel keeps of x until it is multiplied: TF32 is rounded once, not each time that it is read.
template <int PRECISION> DEVICE float kept(float x) {
    if (PRECISION != TF32) return x;
#if defined(__CUDA_ARCH__)
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
#else
    return rounded(x, 13, false);
#endif
}

// Two neighbours along the sum as one register, the first one in its lower half.
DEVICE unsigned bf16_pair(float first, float second) {
#if defined(__CUDA_ARCH__)
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
    return bits;
#else
    return __float_as_uint(rounded(first, 16, true)) >> 16 | __float_as_uint(rounded(second, 16, true));
#endif
}

#if !defined(__CUDA_ARCH__)
// What tensor cores do with a register of a fragment, `number` 0 … 7 along the sum; value: of a number that it holds.
template <class Value>
DEVICE void multiply_registers(float* c, const unsigned* a, const unsigned* b, int number, Value value) {
    int lane = int(threadIdx.x) % WARP, half = number / 4, from = number % 4;
    unsigned rows[2], columns[2];
    for (int i = 0; i < 2; ++i) rows[i] = __shfl_sync(0xffffffffu, a[2 * half + i], lane / 4 * 4 + from);
    for (int j = 0; j < 2; ++j) columns[j] = __shfl_sync(0xffffffffu, b[half], (lane % 4 * 2 + j) * 4 + from);
    for (int i = 0; i < 2; ++i)
        for (int j = 0; j < 2; ++j) c[2 * i + j] += value(rows[i]) * value(columns[j]);
}
#endif

// A lane's words of four matrices of 8 rows × 4 floats in shared memory. row: of number lane % 8 of matrix lane / 8; a
// lane is given the word lane % 4 of row lane / 4 of each.
DEVICE void read_matrices(const float* row, unsigned* words) {
#if defined(__CUDA_ARCH__)
    unsigned at = unsigned(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(at)
                 : "memory");
#else
    int lane = int(threadIdx.x) % WARP;
    for (int j = 0; j < 4; ++j) {
        const float* of_lane = __shfl_sync(0xffffffffu, row, 8 * j + lane / 4);
        words[j] = __float_as_uint(of_lane[lane % 4]);
    }
#endif
}

// STEP 8. a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b: (t, g), (t + 4, g).
DEVICE void multiply_tf32(float* c, const unsigned* a, const unsigned* b) {
#if defined(__CUDA_ARCH__)
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    for (int k = 0; k < 8; ++k) multiply_registers(c, a, b, k, [](unsigned x) { return __uint_as_float(x); });
#endif
}

// STEP 16. Pairs. a: (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8); b: (2t, g), (2t + 8, g).
DEVICE void multiply_bf16(float* c, const unsigned* a, const unsigned* b) {
#if defined(__CUDA_ARCH__)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    for (int k = 0; k < 8; ++k) {
        multiply_registers(c, a, b, k, [](unsigned x) { return __uint_as_float(x << 16); });
        multiply_registers(c, a, b, k, [](unsigned x) { return __uint_as_float(x & 0xffff0000u); });
    }
#endif
}

#endif
