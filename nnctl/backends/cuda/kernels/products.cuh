// What all products of matrices share: C = op(A)·op(B), op(A) (m, k), op(B) (k, n), every matrix by rows in memory.
#ifndef NNCTL_PRODUCTS
#define NNCTL_PRODUCTS

// Beside the ends of ends.cuh:
#define A_ACROSS 1  // A lies in memory as (k, m), not (m, k)
#define B_ACROSS 2  // B lies in memory as (k, n), not (n, k)
#define TURNED 4    // what is stored is Cᵀ

// One operand. Its edge is m or n, its depth k. across: rows in memory run along the edge, else along the depth.
struct Operand {
    const float* at;
    int edge;
    bool across;
};

// Where a block's results go. m, n: of the product that is made.
struct Target {
    float* c;
    End end;
    int m, n;
    bool turned;
};

DEVICE bool is_inside(const Target& to, int row, int column) { return row < to.m && column < to.n; }

// The place in what is stored.
DEVICE long long at_of(const Target& to, int row, int column) {
    return to.turned ? (long long)(column) * to.m + row : (long long)(row) * to.n + column;
}

DEVICE void put(Target to, int row, int column, float value) {
    if (!is_inside(to, row, column)) return;
    long long at = at_of(to, row, column);
    to.c[at] = ended(to.end, value, at, to.turned ? row : column);
}

// A block's tile: its first row and column, and the part of k that its split begins and ends with.
struct Place {
    int row, column, split, begin, end;
};

DEVICE Place place_of(Block block, int rows, int columns, int m, int n, int k, int part) {
    int along = (n + columns - 1) / columns, tiles = (m + rows - 1) / rows * along;
    int tile = block.index % tiles, split = block.index / tiles;
    return Place{tile / along * rows, tile % along * columns, split, split * part, min(k, (split + 1) * part)};
}

#endif
