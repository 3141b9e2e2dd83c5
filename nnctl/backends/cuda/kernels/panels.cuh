// Panels: DEPTH steps of the sum of a product × LINES of one of its matrices, in shared memory.
//
// A matrix is a source: its elements are found where they are read. `line(n)` and `step(k)` say what there is to know
// of a line (a row of the left matrix, a column of the right one) and of a step of the sum; `offset(line, step)` is
// where in `first` the element is, below 0 where it is 0. `prepare(k)` is called before the panel at k is asked for, a
// barrier between: what is costly to find of its steps, one thread finds for all. Panels are copied past the registers,
// some ahead, fours of floats at once; but those whose neighbours in memory lie across what cores read together are
// staged: fetched to registers, and put into their panel when there was time for them to come.
#ifndef NNCTL_PANELS
#define NNCTL_PANELS

#define MEMBER __device__ __forceinline__

// Where element (line, step) of a panel lies. The floats behind each row keep those apart, in banks, which a warp
// writes or reads together: for sums by cores, which read fours of neighbouring lines; for fragments, which are 8 lines
// × 4 steps, by lines or by steps.
template <int LINES, int DEPTH> struct ForCores {
    static constexpr bool ALONG_STEPS = false;
    static constexpr int LINE = 1, STEP = LINES + 4, FLOATS = DEPTH * STEP;
};

template <int LINES, int DEPTH> struct ByLines {
    static constexpr bool ALONG_STEPS = true;
    static constexpr int LINE = DEPTH + 4, STEP = 1, FLOATS = LINES * LINE;
};

template <int LINES, int DEPTH> struct BySteps {
    static constexpr bool ALONG_STEPS = false;
    static constexpr int LINE = 1, STEP = LINES + 8, FLOATS = DEPTH * STEP;
};

// The layout that suits a source whose neighbours in memory lie along steps, or along lines.
template <int LINES, int DEPTH, int PRECISION> struct Layouts {
    typedef ByLines<LINES, DEPTH> AlongSteps;
    typedef BySteps<LINES, DEPTH> AlongLines;
};

template <int LINES, int DEPTH> struct Layouts<LINES, DEPTH, FLOAT32> {
    typedef ForCores<LINES, DEPTH> AlongSteps;
    typedef ForCores<LINES, DEPTH> AlongLines;
};

// Round four floats of a panel, in their place, as they are multiplied.
template <int PRECISION> DEVICE void round_four(float* panel) {
    Pack<float, 4> four = pack_at<4>(panel, 0);
#pragma unroll
    for (int i = 0; i < 4; ++i) four.at[i] = kept<PRECISION>(four.at[i]);
    put_pack<4>(panel, 0, four);
}

// A thread's share of panels of a source whose neighbours in memory lie along steps: the same steps of some lines.
// vector: whether fours of steps are neighbours, of which all or none are there.
template <int LINES, int DEPTH, int PRECISION, class Source> struct AlongSteps {
    static constexpr int APART = THREADS / (DEPTH / 4), COUNT = LINES < APART ? 1 : LINES / APART;
    typedef typename Layouts<LINES, DEPTH, PRECISION>::AlongSteps Layout;
    static constexpr bool STAGED = !Layout::ALONG_STEPS;
    Source source;
    bool vector;
    int step, first;
    typename Source::Part lines[COUNT];
    float held[STAGED ? COUNT : 1][4];

    MEMBER AlongSteps(Source from, bool by_fours, int start) : source(from), vector(by_fours) {
        step = int(threadIdx.x) % (DEPTH / 4) * 4;
        first = int(threadIdx.x) / (DEPTH / 4);
#pragma unroll
        for (int e = 0; e < COUNT; ++e) lines[e] = source.line(start + first + e * APART);
    }

    MEMBER void prepare(int) const {}

    // Where step number i of this thread's line number e lies.
    MEMBER int at(int e, int i) const { return (first + e * APART) * Layout::LINE + (step + i) * Layout::STEP; }

    MEMBER bool idle() const { return LINES < APART && first >= LINES; }

    MEMBER void request(int k, float* panel) const {
        if (idle()) return;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            typename Source::Part own = source.step(k + step + i);
#pragma unroll
            for (int e = 0; e < COUNT; ++e) {
                int offset = source.offset(lines[e], own);
                const float* from = source.first + max(offset, 0);
                if (vector) copy_four(panel + at(e, 0), from, offset < 0 ? 0 : 4, true, Source::NEAR);
                else copy_one(panel + at(e, i), from, offset >= 0);
            }
            if (vector) return;
        }
    }

    MEMBER void fetch(int k) {
        if (idle()) return;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            typename Source::Part own = source.step(k + step + i);
#pragma unroll
            for (int e = 0; e < COUNT; ++e) {
                int offset = source.offset(lines[e], own);
                const float* from = source.first + max(offset, 0);
                if (vector) {
                    Pack<float, 4> four = offset < 0 ? all_of<4>(0.0f) : pack_at<4>(from, 0);
#pragma unroll
                    for (int j = 0; j < 4; ++j) held[e][j] = four.at[j];
                } else {
                    held[e][i] = offset < 0 ? 0.0f : *from;
                }
            }
            if (vector) return;
        }
    }

    MEMBER void put(float* panel) const {
        if (idle()) return;
#pragma unroll
        for (int e = 0; e < COUNT; ++e)
#pragma unroll
            for (int i = 0; i < 4; ++i) panel[at(e, i)] = held[e][i];
    }

    // Round what this thread has copied.
    MEMBER void round(float* panel) const {
        if (PRECISION != TF32 || idle()) return;
#pragma unroll
        for (int e = 0; e < COUNT; ++e) round_four<PRECISION>(panel + at(e, 0));
    }
};

// The same where they lie along lines: a thread has four lines of some steps.
template <int LINES, int DEPTH, int PRECISION, class Source> struct AlongLines {
    static constexpr int APART = THREADS / (LINES / 4), COUNT = DEPTH < APART ? 1 : DEPTH / APART;
    typedef typename Layouts<LINES, DEPTH, PRECISION>::AlongLines Layout;
    static constexpr bool STAGED = false;
    Source source;
    bool vector;
    int line, first, start;
    typename Source::Part own;

    MEMBER AlongLines(Source from, bool by_fours, int begin) : source(from), vector(by_fours), start(begin) {
        line = int(threadIdx.x) % (LINES / 4) * 4;
        first = int(threadIdx.x) / (LINES / 4);
        own = source.line(start + line);
    }

    MEMBER void prepare(int k) const { source.prepare(k); }

    MEMBER void round(float* panel) const {
        if (PRECISION != TF32 || (DEPTH < APART && first >= DEPTH)) return;
#pragma unroll
        for (int e = 0; e < COUNT; ++e) round_four<PRECISION>(panel + at(e));
    }

    // Where its four lines of step number e lie.
    MEMBER int at(int e) const { return (first + e * APART) * Layout::STEP + line; }

    MEMBER void request(int k, float* panel) const {
        if (DEPTH < APART && first >= DEPTH) return;
        if (vector) {
#pragma unroll
            for (int e = 0; e < COUNT; ++e) {
                int offset = source.offset(own, source.step(k + first + e * APART));
                copy_four(panel + at(e), source.first + max(offset, 0), offset < 0 ? 0 : 4, true, Source::NEAR);
            }
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                typename Source::Part one = source.line(start + line + i);
#pragma unroll
                for (int e = 0; e < COUNT; ++e) {
                    int offset = source.offset(one, source.step(k + first + e * APART));
                    copy_one(panel + at(e) + i, source.first + max(offset, 0), offset >= 0);
                }
            }
        }
    }
};

#endif
