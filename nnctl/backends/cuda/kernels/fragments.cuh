// Tensor cores: products of fragments that the lanes of a warp hold in their registers, sums in float32.
//
// With g = lane / 4 and t = lane % 4 a lane's sums c[0], c[1] are (g, 2t), (g, 2t + 1) of a (16, 8) fragment, and c[2],
// c[3] lie eight rows below. Factors are rounded as the precision says before they are multiplied.
#ifndef NNCTL_FRAGMENTS
#define NNCTL_FRAGMENTS

// x to 10 bits behind the point, from the middle away from 0.
DEVICE unsigned tf32_of(float x) {
#if defined(__CUDA_ARCH__)
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#else
    return x != x ? __float_as_uint(x) : (__float_as_uint(x) + 0x1000u) & 0xffffe000u;
#endif
}

// Two numbers to 7 bits behind the point, from the middle to the even one, the first in the lower half.
DEVICE unsigned bf16_pair(float first, float second) {
#if defined(__CUDA_ARCH__)
    unsigned bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(second), "f"(first));
    return bits;
#else
    unsigned bits[2] = {__float_as_uint(first), __float_as_uint(second)};
    for (int i = 0; i < 2; ++i) {
        bool number = __uint_as_float(bits[i]) == __uint_as_float(bits[i]);
        bits[i] = number ? bits[i] + 0x7fffu + (bits[i] >> 16 & 1u) : bits[i] | 0x400000u;
    }
    return bits[0] >> 16 | (bits[1] & 0xffff0000u);
#endif
}

#if !defined(__CUDA_ARCH__)
// c += a·b of fragments whose element (line, k) of a has lane 4·line + k % 4 in register `at_a[k / 4]` for lines below
// 8, in the next one for those above; b alike. The lanes ask each other, as the cores do.
template <int STEP, class Factor>
DEVICE void multiply_by_lanes(float* c, const unsigned* a, const unsigned* b, Factor factor) {
    int group = threadIdx.x % WARP / 4, turn = threadIdx.x % 4;
    for (int k = 0; k < STEP; ++k) {
        float left[2], right[2];
        for (int i = 0; i < 2; ++i) {
            left[i] = factor(__shfl_sync(0xffffffffu, a[factor.word(k) * 2 + i], group * 4 + factor.turn(k)), k);
            right[i] = factor(__shfl_sync(0xffffffffu, b[factor.word(k)], (2 * turn + i) * 4 + factor.turn(k)), k);
        }
        for (int i = 0; i < 4; ++i) c[i] += left[i / 2] * right[i % 2];
    }
}

struct Tf32Factor {
    int word(int k) const { return k / 4; }
    int turn(int k) const { return k % 4; }
    float operator()(unsigned bits, int) const { return __uint_as_float(bits); }
};

struct Bf16Factor {
    int word(int k) const { return k / 8; }
    int turn(int k) const { return k % 8 / 2; }
    float operator()(unsigned bits, int k) const { return __uint_as_float(k % 2 ? bits & 0xffff0000u : bits << 16); }
};
#endif

// c += a·b over 8 steps. a: (g, t), (g + 8, t), (g, t + 4), (g + 8, t + 4); b: (t, g), (t + 4, g).
DEVICE void multiply_tf32(float* c, const unsigned* a, const unsigned* b) {
#if defined(__CUDA_ARCH__)
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    multiply_by_lanes<8>(c, a, b, Tf32Factor());
#endif
}

// c += a·b over 16 steps, in pairs. a: (g, 2t), (g + 8, 2t), (g, 2t + 8), (g + 8, 2t + 8); b: (2t, g), (2t + 8, g).
DEVICE void multiply_bf16(float* c, const unsigned* a, const unsigned* b) {
#if defined(__CUDA_ARCH__)
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    multiply_by_lanes<16>(c, a, b, Bf16Factor());
#endif
}

#endif
