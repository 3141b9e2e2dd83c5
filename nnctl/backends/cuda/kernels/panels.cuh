// Panels: DEPTH steps of the sum of a product × LINES of one of its matrices, in shared memory.
//
// A matrix is a source: its elements are found where they are read. `line(n)` and `step(k)` say what there is to know
// of a line (a row of the left matrix, a column of the right one) and of a step of the sum; `at(line, step)` and
// `four_at(line, step)` read an element and four neighbours. `prepare(k)` is called before the panel at k is read, a
// barrier between: what is costly to find of its steps, one thread finds for all.
#ifndef NNCTL_PANELS
#define NNCTL_PANELS

#define MEMBER __device__ __forceinline__

// Where element (line, step) of a panel lies. The floats behind each row keep those apart, in banks, which a warp
// writes or reads together: for sums by cores, which read neighbouring lines; for fragments, which are 8 lines × 4
// steps, by lines or by steps.
template <int LINES, int DEPTH> struct ForCores {
    static constexpr int LINE = 1, STEP = LINES + 4, FLOATS = DEPTH * STEP;
};

template <int LINES, int DEPTH> struct ByLines {
    static constexpr int LINE = DEPTH + 4, STEP = 1, FLOATS = LINES * LINE;
};

template <int LINES, int DEPTH> struct BySteps {
    static constexpr int LINE = 1, STEP = LINES + 8, FLOATS = DEPTH * STEP;
};

// Where a panel comes from and lies: the layout that suits a source whose neighbours in memory lie along steps, or
// along lines.
template <int LINES, int DEPTH, int PRECISION> struct Layouts {
    typedef ByLines<LINES, DEPTH> AlongSteps;
    typedef BySteps<LINES, DEPTH> AlongLines;
};

template <int LINES, int DEPTH> struct Layouts<LINES, DEPTH, FLOAT32> {
    typedef ForCores<LINES, DEPTH> AlongSteps;
    typedef ForCores<LINES, DEPTH> AlongLines;
};

DEVICE void take_apart(float4 four, float* to) {
    to[0] = four.x;
    to[1] = four.y;
    to[2] = four.z;
    to[3] = four.w;
}

// A thread's share of panels of a source whose neighbours in memory lie along steps. vector: four at once.
template <int LINES_, int DEPTH_, int PRECISION, class Source> struct AlongSteps {
    static constexpr int LINES = LINES_, DEPTH = DEPTH_;
    static constexpr int EACH = LINES * DEPTH / THREADS, FOURS = EACH < 4 ? 1 : EACH / 4;
    typedef typename Layouts<LINES, DEPTH, PRECISION>::AlongSteps Layout;
    Source source;
    bool vector;
    int start, step, first, apart;
    float held[4 * FOURS];

    MEMBER AlongSteps(Source from, bool by_fours, int line) : source(from), vector(by_fours), start(line) {
        int wide = vector ? 4 : 1;
        step = int(threadIdx.x) % (DEPTH / wide) * wide;
        first = int(threadIdx.x) / (DEPTH / wide);
        apart = THREADS / (DEPTH / wide);
    }

    MEMBER void fetch(int k) {
        typename Source::Part own = source.step(k + step);
        if (vector) {
#pragma unroll
            for (int e = 0; e < FOURS; ++e)
                if (EACH >= 4 || first < LINES)
                    take_apart(source.four_at(source.line(start + first + e * apart), own), held + 4 * e);
        } else {
#pragma unroll
            for (int e = 0; e < EACH; ++e) held[e] = source.at(source.line(start + first + e * apart), own);
        }
    }

    MEMBER void put(float* panel) const {
        float* to = panel + step * Layout::STEP + first * Layout::LINE;
        if (!vector) {
#pragma unroll
            for (int e = 0; e < EACH; ++e) to[e * apart * Layout::LINE] = kept<PRECISION>(held[e]);
            return;
        }
        if (EACH < 4 && first >= LINES) return;
#pragma unroll
        for (int e = 0; e < FOURS; ++e) {
            float* four = to + e * apart * Layout::LINE;
            float x = kept<PRECISION>(held[4 * e]), y = kept<PRECISION>(held[4 * e + 1]);
            float z = kept<PRECISION>(held[4 * e + 2]), w = kept<PRECISION>(held[4 * e + 3]);
            if (Layout::STEP == 1) {
                *reinterpret_cast<float4*>(four) = make_float4(x, y, z, w);
            } else {
                four[0] = x;
                four[Layout::STEP] = y;
                four[2 * Layout::STEP] = z;
                four[3 * Layout::STEP] = w;
            }
        }
    }
};

// The same where they lie along lines.
template <int LINES_, int DEPTH_, int PRECISION, class Source> struct AlongLines {
    static constexpr int LINES = LINES_, DEPTH = DEPTH_;
    static constexpr int EACH = LINES * DEPTH / THREADS, FOURS = EACH < 4 ? 1 : EACH / 4;
    typedef typename Layouts<LINES, DEPTH, PRECISION>::AlongLines Layout;
    Source source;
    bool vector;
    int first, at, apart;
    typename Source::Part line;
    float held[4 * FOURS];

    MEMBER AlongLines(Source from, bool by_fours, int start) : source(from), vector(by_fours) {
        int wide = vector ? 4 : 1;
        at = int(threadIdx.x) % (LINES / wide) * wide;
        first = int(threadIdx.x) / (LINES / wide);
        apart = THREADS / (LINES / wide);
        line = source.line(start + at);
    }

    MEMBER void fetch(int k) {
        if (vector) {
#pragma unroll
            for (int e = 0; e < FOURS; ++e)
                if (EACH >= 4 || first < DEPTH)
                    take_apart(source.four_at(line, source.step(k + first + e * apart)), held + 4 * e);
        } else {
#pragma unroll
            for (int e = 0; e < EACH; ++e) held[e] = source.at(line, source.step(k + first + e * apart));
        }
    }

    MEMBER void put(float* panel) const {
        float* to = panel + first * Layout::STEP + at;
        if (!vector) {
#pragma unroll
            for (int e = 0; e < EACH; ++e) to[e * apart * Layout::STEP] = kept<PRECISION>(held[e]);
            return;
        }
        if (EACH < 4 && first >= DEPTH) return;
#pragma unroll
        for (int e = 0; e < FOURS; ++e)
            *reinterpret_cast<float4*>(to + e * apart * Layout::STEP) =
                make_float4(kept<PRECISION>(held[4 * e]), kept<PRECISION>(held[4 * e + 1]),
                            kept<PRECISION>(held[4 * e + 2]), kept<PRECISION>(held[4 * e + 3]));
    }
};

#endif
