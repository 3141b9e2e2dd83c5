// The scan of a recurrent cell through a sequence: what all cells share.
//
// A block has 4·quads examples and tiles of `wide` units; 4·quads·wide = 128. One turn of the scan is one step of
// time: the product of the examples' states of the turn before (examples, depth) with weights (depth, columns), and
// a formula for each example and unit. The warps divide a tile's product by depth; a lane has 4 examples × 4 columns
// of it in registers, and the parts meet in shared memory. Where a cell has GATES = 4 columns a unit, a lane's are
// those of one unit; where it has one, of four units, and four lanes divide the depth further.
//
// There are as many blocks across the units as it takes. Where one block has all units it makes all turns in one
// launch, weights and states in shared memory throughout. Where some together do, and the device runs them at the
// same time, they make all turns in one launch, too: the weights stay, and after each turn the blocks of the same
// examples wait for one another, to read the states that the others have made. Else each turn is a launch.
#ifndef NNCTL_SCAN
#define NNCTL_SCAN

// Shared memory has room for no second block; left to itself the compiler aims at three, and spills.
#define BLOCKS_HELD 1
#define SCAN_WARPS (THREADS / WARP)
#define SCAN_OUTPUTS 128
// Floats from one of a lane's 16 sums to its next: threads that add up the parts read from different banks.
#define SCAN_PITCH 36
#define SCAN_PARTS (SCAN_WARPS * 16 * SCAN_PITCH)

struct Scan {
    int batch, steps, units;
    int depth;         // inner length of the product
    int quads;         // of examples, 1 or 2
    int wide;          // units of a tile
    int tiles;         // of this block
    int chunk;         // rows of weights that shared memory holds at once
    bool alone;        // does it make all turns, with all units?
    int across;        // blocks that share the examples
    int* arrived;      // how often these have met, in blocks
    int row, unit;     // its first ones
    int between;       // floats from a quad's states to the next one's
    float* weights;    // [tile][chunk][columns]
    float* states;     // [quad][chunk][4]
    float* following;  // the same after this turn, where the block is alone
    float* parts;      // of the sums of a tile, and of the tile before it
};

// Numbers of `arrived` for each group of blocks: groups do not write into one another's lines of the cache.
#define SCAN_LINE 16

// tiles: of each block. Shared memory holds the weights, the states (twice where the block is alone), and the parts.
template <int GATES>
DEVICE Scan scan_of(Block block, int batch, int steps, int units, int depth, long long* arrived, int turns, int quads,
                     int tiles, int chunk) {
    Scan scan;
    scan.batch = batch;
    scan.steps = steps;
    scan.units = units;
    scan.depth = depth;
    scan.quads = quads;
    scan.wide = SCAN_OUTPUTS / 4 / quads;
    scan.tiles = tiles;
    scan.chunk = min(chunk, depth);
    scan.across = (units + tiles * scan.wide - 1) / (tiles * scan.wide);
    scan.alone = scan.across == 1 && turns > 1;
    int group = block.index / scan.across;
    scan.arrived = (int*)(arrived + group * SCAN_LINE);
    scan.row = group * 4 * quads;
    scan.unit = block.index % scan.across * tiles * scan.wide;
    // Two quads' states are read at once: 16 floats more keep them in different banks.
    scan.between = 4 * scan.chunk + 16;
    scan.weights = block.shared;
    scan.states = scan.weights + tiles * scan.chunk * scan.wide * GATES;
    scan.following = scan.states + quads * scan.between;
    scan.parts = scan.following + (scan.alone ? quads * scan.between : 0);
    return scan;
}

// The block with the shared memory behind that of a scan, for a second one, where both are in one launch.
DEVICE Block behind(Block block, const Scan& scan, int turns) {
    if (turns > 1) block.shared = scan.parts + min(scan.tiles, 2) * SCAN_PARTS;
    return block;
}

// -- time ----------------------------------------------------------------------------------

// A step and the one that the scan comes from; −1 at its start.
struct Moment {
    int t, last;
};

DEVICE Moment moment_of(int turn, int steps, int reverse) {
    int t = reverse ? steps - 1 - turn : turn;
    return {t, turn == 0 ? -1 : reverse ? t + 1 : t - 1};
}

// A turn of the way back, 0 … steps: the step that it is at, and the later one, from which a gradient comes through
// the product in all turns but the first. The last turn gives the gradient of the first state alone.
struct Back {
    bool any, over;
    Moment moment, later;
};

DEVICE Back back_of(int turn, int steps, int reverse) {
    bool any = turn > 0, over = turn == steps;
    return {any, over, moment_of(over ? 0 : steps - 1 - turn, steps, reverse),
            moment_of(any ? steps - turn : 0, steps, reverse)};
}

// An example and a unit, for the threads of one half of the block; the other half has those of the next tile.
struct Pair {
    bool mine;
    int row, unit;
    int at, column;  // the example within the block, the unit within the tile
};

DEVICE Pair pair_of(const Scan& scan, int tile) {
    int number = int(threadIdx.x) % SCAN_OUTPUTS;
    Pair pair;
    pair.at = number / scan.wide;
    pair.column = number % scan.wide;
    pair.row = scan.row + pair.at;
    pair.unit = scan.unit + tile * scan.wide + pair.column;
    pair.mine = int(threadIdx.x) / SCAN_OUTPUTS == tile % 2 && pair.row < scan.batch && pair.unit < scan.units;
    return pair;
}

// Where the pair's entry is in states (batch, units), and its first of `width` at a step in (batch, time, width).
DEVICE int place_of(const Scan& scan, Pair pair) { return pair.row * scan.units + pair.unit; }

DEVICE long long place_at(const Scan& scan, Pair pair, int t, int width) {
    return ((long long)pair.row * scan.steps + t) * width + pair.unit;
}

// The pair's state before a moment.
DEVICE float state_before(const Scan& scan, Pair pair, Moment moment, const float* first, const float* states) {
    if (moment.last < 0) return first[place_of(scan, pair)];
    return states[place_at(scan, pair, moment.last, scan.units)];
}

DEVICE bool is_skipped(const Scan& scan, Pair pair, Moment moment, const long long* mask, int masked) {
    return masked && mask[pair.row * (long long)scan.steps + moment.t] == 0;
}

DEVICE float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

// -- the product ---------------------------------------------------------------------------

// Weights in memory: from row to row, from unit to unit, and from gate to gate of a unit's.
struct Weights {
    const float* from;
    int down, across, aside, gates;
};

// States in memory, (batch, depth); times a second array of that shape where there is one.
struct States {
    const float* from;
    int between;
    const float* factor;
    int factor_between;
};

// All entries of (batch, time, width) at a step from column `first` on.
DEVICE States states_at(const Scan& scan, const float* x, int t, int width, int first) {
    return {x + (long long)t * width + first, scan.steps * width, nullptr, 0};
}

// The states before a moment.
DEVICE States states_before(const Scan& scan, Moment moment, const float* first, const float* states) {
    if (moment.last < 0) return {first, scan.units, nullptr, 0};
    return states_at(scan, states, moment.last, scan.units, 0);
}

// The place of a row's quad of columns among `quads`, a power of two. Quads of eight rows below one another are in
// different banks: they are written at once where weights are read transposed.
DEVICE int swizzled(int row, int quad, int quads) { return quad ^ (row * quads / 8 & (quads - 1)); }

template <int GATES>
DEVICE void load_weights(const Scan& scan, Weights weights, int tile, int first, int depth) {
    int columns = scan.wide * GATES, quads = columns / 4;
    float* to = scan.weights + tile * scan.chunk * columns;
    // A thread has one quad of columns, and neighbours in the warp read neighbours in memory.
    int thread = threadIdx.x, together = THREADS / quads;
    bool transposed = weights.down == 1;
    int quad = transposed ? thread / together : thread % quads;
    int unit = scan.unit + tile * scan.wide + (GATES == 4 ? quad : 4 * quad);
    const float* from = weights.from + first * weights.down + unit * weights.across;
#pragma unroll 4
    for (int k = transposed ? thread % together : thread / quads; k < depth; k += together) {
        float4 x;
        float* column = &x.x;
        for (int j = 0; j < 4; ++j) {
            bool there = GATES == 4 ? unit < scan.units && j < weights.gates : unit + j < scan.units;
            column[j] = there ? from[k * weights.down + j * (GATES == 4 ? weights.aside : weights.across)] : 0.0f;
        }
        *(float4*)(to + k * columns + 4 * swizzled(k, quad, quads)) = x;
    }
}

// What another block may have written since this one last read beside it, so that the multiprocessor's own cache
// must not answer.
DEVICE float from_others(const float* x) {
#if defined(__CUDA_ARCH__)
    return __ldcg(x);
#else
    return *x;
#endif
}

DEVICE void load_states(const Scan& scan, States states, int first, int depth) {
    const float* from = states.from + (long long)scan.row * states.between + first;
    const float* factor = states.factor + (long long)scan.row * states.factor_between + first;
    int rows = scan.batch - scan.row;
#pragma unroll 4
    for (int i = threadIdx.x; i < scan.quads * depth; i += THREADS) {
        int quad = i >= depth, k = i - quad * depth;
        float4 x;
        float* example = &x.x;
        for (int j = 0; j < 4; ++j) {
            int row = 4 * quad + j;
            example[j] = row < rows ? from_others(from + (row * states.between + k)) : 0.0f;
            if (states.factor && row < rows) example[j] *= from_others(factor + (row * states.factor_between + k));
        }
        *(float4*)(scan.states + quad * scan.between + 4 * k) = x;
    }
}

DEVICE void add_products(float* sums, float a, float4 w) {
    sums[0] = fmaf(a, w.x, sums[0]);
    sums[1] = fmaf(a, w.y, sums[1]);
    sums[2] = fmaf(a, w.z, sums[2]);
    sums[3] = fmaf(a, w.w, sums[3]);
}

// What of a lane's sums the rows first … first + depth − 1 of a chunk give.
template <int GATES>
DEVICE void accumulate(const Scan& scan, int tile, int depth, float (&sums)[16]) {
    const int slices = 4 / GATES;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    int columns = scan.wide * GATES, quads = columns / 4;
    int first = warp * slices + lane / quads % slices;
    const float* states = scan.states + lane / (quads * slices) * scan.between;
    // The swizzle repeats within the rows that the warps take together.
    const float* weights = scan.weights + tile * scan.chunk * columns + 4 * swizzled(first, lane % quads, quads);
#pragma unroll 4
    for (int k = first; k < depth; k += SCAN_WARPS * slices) {
        float4 a = *(const float4*)(states + 4 * k), w = *(const float4*)(weights + k * columns);
        add_products(sums, a.x, w);
        add_products(sums + 4, a.y, w);
        add_products(sums + 8, a.z, w);
        add_products(sums + 12, a.w, w);
    }
}

// The start of a launch: weights and states come to shared memory where they fit; `multiply` loads them otherwise.
template <int GATES>
DEVICE void begin(const Scan& scan, Weights weights, States states, bool any_states) {
    if (scan.chunk < scan.depth) return;
    for (int tile = 0; tile < scan.tiles; ++tile) load_weights<GATES>(scan, weights, tile, 0, scan.depth);
    if (any_states) load_states(scan, states, 0, scan.depth);
    __syncthreads();
}

// The next turn in the same launch. A block that is alone reads the states that it has made, others load them.
DEVICE void turn_over(Scan& scan, States states) {
    if (!scan.alone) {
        grid_barrier(scan.across, scan.arrived);
        load_states(scan, states, 0, scan.depth);
    }
    __syncthreads();
    if (!scan.alone) return;
    float* made = scan.following;
    scan.following = scan.states;
    scan.states = made;
}

// Entry k of the pair's example in the states of the next turn.
DEVICE void keep(const Scan& scan, Pair pair, int k, float value) {
    if (scan.alone) scan.following[pair.at / 4 * scan.between + 4 * k + pair.at % 4] = value;
}

// The product of a tile, in parts. One barrier a tile will do: the next one's parts lie elsewhere, and those of the
// one after it are written when the barrier between has seen these added up.
template <int GATES>
DEVICE void multiply(const Scan& scan, int tile, Weights weights, States states) {
    float sums[16] = {};
    if (scan.chunk >= scan.depth) {
        accumulate<GATES>(scan, tile, scan.depth, sums);
    } else {
        for (int first = 0; first < scan.depth; first += scan.chunk) {
            int depth = min(scan.chunk, scan.depth - first);
            load_weights<GATES>(scan, weights, tile, first, depth);
            load_states(scan, states, first, depth);
            __syncthreads();
            accumulate<GATES>(scan, tile, depth, sums);
            __syncthreads();
        }
    }
    float* part = scan.parts + tile % 2 * SCAN_PARTS + threadIdx.x / WARP * 16 * SCAN_PITCH + threadIdx.x % WARP;
    for (int i = 0; i < 16; ++i) part[i * SCAN_PITCH] = sums[i];
    __syncthreads();
}

// The pair's product in the column of a gate.
template <int GATES>
DEVICE float product_of(const Scan& scan, Pair pair, int tile, int gate) {
    const int slices = 4 / GATES;
    int quads = scan.wide * GATES / 4;
    int quad = GATES == 4 ? pair.column : pair.column / 4, column = GATES == 4 ? gate : pair.column % 4;
    const float* part = scan.parts + tile % 2 * SCAN_PARTS + (pair.at % 4 * 4 + column) * SCAN_PITCH +
                        pair.at / 4 * slices * quads + quad;
    float sum = 0.0f;
    for (int warp = 0; warp < SCAN_WARPS; ++warp)
        for (int slice = 0; slice < slices; ++slice) sum += part[warp * 16 * SCAN_PITCH + slice * quads];
    return sum;
}

// The gradient of the pair's state with what comes through the product. False in the last turn, which keeps that.
DEVICE bool goes_on(const Scan& scan, Pair pair, int tile, const Back& back, float* dh, float& hidden) {
    if (back.any) hidden += product_of<1>(scan, pair, tile, 0);
    if (back.over) dh[place_of(scan, pair)] = hidden;
    return !back.over;
}

#endif
