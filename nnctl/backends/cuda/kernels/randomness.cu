// Random numbers by counter, to the bit those of the reference: Philox 4x32-10 (Salmon et al., SC 2011).

struct Words {
    unsigned int word[4];
};

DEVICE Words words_of(unsigned int counter, const long long* seed, const long long* step, int stream) {
    unsigned int c0 = counter, c1 = (unsigned int)stream;
    unsigned int c2 = (unsigned int)step[0], c3 = (unsigned int)(step[0] >> 32);
    unsigned int k0 = (unsigned int)seed[0], k1 = (unsigned int)seed[1];
    #pragma unroll
    for (int round = 0; round < 10; ++round) {
        unsigned int high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        unsigned int high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0, c1 = low1, c2 = high0 ^ c3 ^ k1, c3 = low0;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return Words{{c0, c1, c2, c3}};
}

// A word as a uniform on (0, 1): 24 bits, none of which is rounded.
DEVICE float unit(unsigned int word) { return (float(word >> 9) + 0.5f) * 1.1920928955078125e-7f; }

// A thread makes the four numbers of a counter.
KERNEL uniform(Block block, const long long* seed, const long long* step, float* y, int count, int stream) {
    int counter = element_of(block), first = 4 * counter;
    if (first >= count) return;
    Words words = words_of(counter, seed, step, stream);
    float u[4];
    #pragma unroll
    for (int k = 0; k < 4; ++k) u[k] = unit(words.word[k]);
    if (first + 4 <= count) {
        *(float4*)(y + first) = float4{u[0], u[1], u[2], u[3]};
        return;
    }
    #pragma unroll
    for (int k = 0; k < 3; ++k) {
        if (first + k < count) y[first + k] = u[k];
    }
}

// √(−2 ln u)·cos(2πv): Box and Muller (1958).
DEVICE float normal_of(unsigned int u, unsigned int v) {
    return sqrtf(-2.0f * logf(unit(u))) * cospif(2.0f * unit(v));
}

// A thread makes the two numbers of a counter.
KERNEL normal(Block block, const long long* seed, const long long* step, float* y, int count, int stream) {
    int counter = element_of(block), first = 2 * counter;
    if (first >= count) return;
    Words words = words_of(counter, seed, step, stream);
    y[first] = normal_of(words.word[0], words.word[1]);
    if (first + 1 < count) y[first + 1] = normal_of(words.word[2], words.word[3]);
}
