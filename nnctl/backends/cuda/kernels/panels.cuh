// Panels: DEPTH steps of the sum of a product × LINES of one of its matrices, in shared memory.
//
// A matrix is a source: its elements are found where they are read. `line(n)` and `step(k)` say what there is to know
// of a line (a row of the left matrix, a column of the right one) and of a step of the sum; `offset(line, step)` is
// where in `first` the element is, below 0 where it is 0. `prepare(k)` is called before the panel at k is asked for, a
// barrier between: what is costly to find of its steps, one thread finds for all. Panels are copied past the registers,
// some ahead: an address is worth its arithmetic once for each four floats.
#ifndef NNCTL_PANELS
#define NNCTL_PANELS

#define MEMBER __device__ __forceinline__

// Where element (line, step) of a panel lies. By steps, for cores, whose threads read fours of lines; the floats behind
// each row keep those apart, in banks, which a warp writes together.
template <int LINES, int DEPTH> struct BySteps {
    static constexpr bool ALONG_STEPS = false;
    static constexpr int FLOATS = DEPTH * (LINES + 4);
    MEMBER static int at(int line, int step) { return step * (LINES + 4) + line; }
};

// By lines in slices of 16 steps, for fragments, whose lanes read fours of steps of two lines together.
template <int LINES, int DEPTH> struct ByLines {
    static constexpr bool ALONG_STEPS = true;
    static constexpr int FLOATS = DEPTH * LINES;
    MEMBER static int at(int line, int step) { return (step / 16 * LINES + line) * 16 + step % 16; }
};

// By steps, for fragments: of each fourth step the pairs of fours of lines have changed places, so that all banks
// serve lanes which read two such fours of four steps that are four apart.
template <int LINES, int DEPTH> struct Exchanged {
    static constexpr bool ALONG_STEPS = false;
    static constexpr int FLOATS = DEPTH * LINES;
    MEMBER static int at(int line, int step) { return step * LINES + (line ^ (step / 4 % 4 * 8)); }
};

// The layout that suits a source whose neighbours in memory lie along steps, or along lines.
template <int LINES, int DEPTH, int PRECISION> struct Layouts {
    typedef ByLines<LINES, DEPTH> AlongSteps;
    typedef Exchanged<LINES, DEPTH> AlongLines;
};

template <int LINES, int DEPTH> struct Layouts<LINES, DEPTH, FLOAT32> {
    typedef BySteps<LINES, DEPTH> AlongSteps;
    typedef BySteps<LINES, DEPTH> AlongLines;
};

// A thread's share of panels of a source whose neighbours in memory lie along steps: the same steps of some lines.
// vector: whether fours of steps are neighbours, of which all or none are there.
template <int LINES, int DEPTH, int PRECISION, class Source> struct AlongSteps {
    static constexpr int APART = THREADS / (DEPTH / 4), COUNT = LINES < APART ? 1 : LINES / APART;
    typedef typename Layouts<LINES, DEPTH, PRECISION>::AlongSteps Layout;
    Source source;
    bool vector;
    int step, first;
    typename Source::Part lines[COUNT];

    MEMBER AlongSteps(Source from, bool by_fours, int start) : source(from), vector(by_fours) {
        step = (int(threadIdx.x) / (4 * APART) * 4 + int(threadIdx.x) % 4) * 4;
        first = int(threadIdx.x) % (4 * APART) / 4;
#pragma unroll
        for (int e = 0; e < COUNT; ++e) lines[e] = source.line(start + first + e * APART);
    }

    MEMBER void prepare(int) const {}

    MEMBER void request(int k, float* panel) const {
        if (LINES < APART && first >= LINES) return;
        if (vector && Layout::ALONG_STEPS) {
            typename Source::Part own = source.step(k + step);
#pragma unroll
            for (int e = 0; e < COUNT; ++e) {
                int offset = source.offset(lines[e], own);
                float* to = panel + Layout::at(first + e * APART, step);
                copy_four(to, source.first + max(offset, 0), offset < 0 ? 0 : 4, true, Source::NEAR);
            }
        } else if (vector) {
            typename Source::Part own = source.step(k + step);
#pragma unroll
            for (int e = 0; e < COUNT; ++e) {
                int offset = source.offset(lines[e], own);
                const float* from = source.first + max(offset, 0);
#pragma unroll
                for (int i = 0; i < 4; ++i)
                    copy_one(panel + Layout::at(first + e * APART, step + i), from + i, offset >= 0);
            }
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                typename Source::Part own = source.step(k + step + i);
#pragma unroll
                for (int e = 0; e < COUNT; ++e) {
                    int offset = source.offset(lines[e], own);
                    copy_one(panel + Layout::at(first + e * APART, step + i), source.first + max(offset, 0),
                             offset >= 0);
                }
            }
        }
    }
};

// The same where they lie along lines: a thread has four lines of some steps.
template <int LINES, int DEPTH, int PRECISION, class Source> struct AlongLines {
    static constexpr int APART = THREADS / (LINES / 4), COUNT = DEPTH < APART ? 1 : DEPTH / APART;
    typedef typename Layouts<LINES, DEPTH, PRECISION>::AlongLines Layout;
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

    MEMBER void request(int k, float* panel) const {
        if (DEPTH < APART && first >= DEPTH) return;
        if (vector) {
#pragma unroll
            for (int e = 0; e < COUNT; ++e) {
                int step = first + e * APART, offset = source.offset(own, source.step(k + step));
                copy_four(panel + Layout::at(line, step), source.first + max(offset, 0), offset < 0 ? 0 : 4, true,
                          Source::NEAR);
            }
        } else {
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                typename Source::Part one = source.line(start + line + i);
#pragma unroll
                for (int e = 0; e < COUNT; ++e) {
                    int step = first + e * APART, offset = source.offset(one, source.step(k + step));
                    copy_one(panel + Layout::at(line, step) + i, source.first + max(offset, 0), offset >= 0);
                }
            }
        }
    }
};

#endif
