// Ends of products: what becomes of an element before it is stored. No launch has to read it again for that.
#ifndef NNCTL_ENDS
#define NNCTL_ENDS

// As ends.py has them. An element has one of those that read `beside`, and a bias may be rectified.
#define ACCUMULATING 8  // β·beside + α·value
#define BIASED 16       // value + beside[column]
#define RECTIFIED 32    // max(0, value), a NaN as it is
#define MASKED 64       // value where beside > 0, else 0: by what was rectified, the derivative of that

// beside: a vector along the columns for a bias, else an array like the one that is stored.
struct End {
    const float* beside;
    float alpha, beta;
    int way;
};

DEVICE End end_of(const float* beside, const float* alpha, const float* beta, int way) {
    bool scaled = way & ACCUMULATING;
    return End{beside, scaled ? alpha[0] : 1.0f, scaled ? beta[0] : 0.0f, way};
}

// What an element's end reads, 0 where it reads nothing. at, column: of the element in what is stored.
DEVICE float beside_of(End end, long long at, int column) {
    if (end.way & (ACCUMULATING | MASKED)) return end.beside[at];
    return end.way & BIASED ? end.beside[column] : 0.0f;
}

// The same end, with what it reads: who asks for that early need not wait for it here.
DEVICE float ended_by(End end, float value, float beside) {
    if (end.way & ACCUMULATING) return end.beta * beside + end.alpha * value;
    if (end.way & BIASED) value += beside;
    if (end.way & MASKED) value *= beside > 0.0f ? 1.0f : 0.0f;
    return end.way & RECTIFIED && 0.0f >= value ? 0.0f : value;
}

// The same, reading last: by `ended_by` the widest tiles have no registers left on compute capability 10.
DEVICE float ended(End end, float value, long long at, int column) {
    if (end.way & ACCUMULATING) return end.beta * end.beside[at] + end.alpha * value;
    if (end.way & BIASED) value += end.beside[column];
    if (end.way & MASKED) value *= end.beside[at] > 0.0f ? 1.0f : 0.0f;
    return end.way & RECTIFIED && 0.0f >= value ? 0.0f : value;
}

#endif
