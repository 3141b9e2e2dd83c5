// The geometry of convolutions over images; one spatial axis is an image of height 1.
#ifndef NNCTL_GEOMETRY
#define NNCTL_GEOMETRY

// x (images, height, width, channels), y (images, rows, columns, filters), w (kh, kw, channels/groups, filters). A
// window moves by (down, across), its places lie (spread_down, spread_across) apart, and there are zeros above x and
// to its left.
struct Geometry {
    int images, height, width, channels, rows, columns, filters, kh, kw, down, across, spread_down, spread_across,
        top, left, groups;
};

// Quotients by multiplication: the reciprocal is ⌈2³²/by⌉, exact where dividends stay below 2³²/by, else 0.
struct Divisor {
    int by;
    unsigned reciprocal;
};

DEVICE Divisor divisor(int by, int most) {
    bool exact = by > 1 && (long long)(most) * by < 0x100000000ll;
    return Divisor{by, exact ? 0xffffffffu / unsigned(by) + 1 : 0};
}

DEVICE int operator/(int n, Divisor d) { return d.reciprocal ? int(__umulhi(unsigned(n), d.reciprocal)) : n / d.by; }

#endif
