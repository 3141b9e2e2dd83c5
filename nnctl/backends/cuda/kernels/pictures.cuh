// Convolutions by steps of one whose windows' pixels a block has in shared memory, once for all places of a window.
//
// A tile is some whole rows of positions. With zeros around it each image has height + kh − 1 rows and width + kw − 1
// columns here, one below the other: those that the tile's windows cover are the block's patch, DEPTH channels at a
// time. Position (row, column) has at place (a, b) of its window the pixel (row + a, column + b) of the patch.
#ifndef NNCTL_PICTURES
#define NNCTL_PICTURES

// Floats from pixel to pixel of a patch of 32 channels: eight neighbours' fours lie in all banks.
#define PIXEL 36

// What is convolved, (images, height, width, channels) with `apart` floats from pixel to pixel; rows and columns: of
// the result.
struct Picture {
    const float* first;
    int images, height, width, channels, apart, rows, columns, kh, kw, top, left;
};

// w at one place, some channels of it: along lines the filters.
struct KernelAtPlace : Rows {
    const float* whole;
    int depth;

    MEMBER void move(int place, int channel) {
        first = whole + (place * depth + channel) * ahead;
        end = depth - channel;
    }
};

// The same from the last place to the first one, along lines the channels: by which the transpose is a convolution.
struct TurnedAtPlace : Rows {
    const float* whole;
    int depth, places;

    MEMBER int line(int c) const { return c < columns ? c * ahead : FAR; }
    MEMBER int step(int k) const { return k < end ? k : FAR; }
    MEMBER void move(int place, int filter) {
        first = whole + (places - 1 - place) * columns * ahead + filter;
        end = depth - filter;
    }
};

// A block's patch: rows of the images with zeros around them, from that of the first place of position row `line` to
// that of the last place of the last one. APART: floats from pixel to pixel.
template <int APART> struct Patch {
    Picture of;
    int wide, tall, top, end, image, inside;
    unsigned a_row, an_image;

    MEMBER Patch(Picture picture) : of(picture) {
        wide = of.columns + of.kw - 1;
        tall = of.rows + of.kh - 1;
        // Numbers within a patch are small, and both are more than one: these reciprocals are exact.
        a_row = 0xffffffffu / unsigned(wide) + 1;
        an_image = 0xffffffffu / unsigned(tall) + 1;
    }

    MEMBER int row_of(int line) const { return line / of.rows * tall + line % of.rows; }

    // To the rows of positions from `line` until `last`.
    MEMBER void move(int line, int last) {
        image = line / of.rows;
        inside = line - image * of.rows;
        top = image * tall + inside;
        end = row_of(last - 1) + of.kh;
    }

    // The pixel at the first place of the window of a position behind the first one of row `line`.
    MEMBER int pixel(int position, int line) const {
        int below = position / of.columns;
        return (row_of(line + below) - top) * wide + position - below * of.columns;
    }

    // Ask for 32 channels of `rows` rows, zeros from `end` on.
    MEMBER void request(int channel, int rows, float* to) const {
        for (int n = threadIdx.x; n < rows * wide * 8; n += THREADS) {
            int pixel = n / 8, four = n % 8 * 4, row = __umulhi(pixel, a_row), column = pixel - row * wide - of.left;
            int below = inside + row, images = __umulhi(below, an_image);
            below -= images * tall + of.top;
            bool there = top + row < end && channel + four < of.channels;
            there = there && unsigned(below) < unsigned(of.height) && unsigned(column) < unsigned(of.width);
            int offset = (((image + images) * of.height + below) * of.width + column) * of.apart + channel + four;
            copy_four(to + pixel * APART + four, of.first + (there ? offset : 0), there ? 4 : 0, true);
        }
    }

    // Round what this thread has copied.
    MEMBER void round(int rows, float* to) const {
        for (int n = threadIdx.x; n < rows * wide * 8; n += THREADS) round_four<TF32>(to + n / 8 * APART + n % 8 * 4);
    }
};

// The tile of rows `line` … of a picture, by tensor cores. floats: of a patch. Right: of a kernel's panel.
template <class T, class Right>
DEVICE void picture_tile(float* shared, Picture picture, Right right, int line, int floats, Straight result, int column,
                         bool vector) {
    typedef typename Right::Layout OfRight;
    typedef FragmentSums<T, OfRight, OfRight> Own;
    const int STAGES = T::STAGES;
    Own own;
    int lines = T::ROWS / picture.columns, places = picture.kh * picture.kw;
    int last = min(line + lines, picture.images * picture.rows);
    Patch<PIXEL> patch(picture);
    patch.move(line, last);
    int high = patch.end - patch.top;
    float* patches = shared + STAGES * OfRight::FLOATS;
    int lane = int(threadIdx.x) % WARP, rows[T::HIGH];
#pragma unroll
    for (int h = 0; h < T::HIGH; ++h) {
        int position = own.down + 16 * h + lane % 16;
        rows[h] = patch.pixel(min(position, (last - line) * picture.columns - 1), line) * PIXEL + lane / 16 * 4;
    }
    int asked = 0, asked_channel = 0;
    patch.request(0, high, patches);
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage) {
        if (asked_channel < picture.channels) {
            right.source.move(asked, asked_channel);
            right.request(0, shared + stage * OfRight::FLOATS);
        }
        close_copies();
        if (++asked == places) asked = 0, asked_channel += T::DEPTH;
    }
    int present = 0, next = STAGES - 1;
    for (int channel = 0; channel < picture.channels; channel += T::DEPTH) {
        float* other = patches == shared + STAGES * OfRight::FLOATS ? patches + floats : patches - floats;
        int fragments = min(T::DEPTH, picture.channels - channel + 7) / 8;
        for (int place = 0, a = 0, b = 0; place < places; ++place) {
            await_copies<STAGES - 2>();
            right.round(shared + present * OfRight::FLOATS);
            if (place == 0) patch.round(high, patches);
            __syncthreads();
            if (place == 0 && channel + T::DEPTH < picture.channels) patch.request(channel + T::DEPTH, high, other);
            if (asked_channel < picture.channels) {
                right.source.move(asked, asked_channel);
                right.request(0, shared + next * OfRight::FLOATS);
            }
            close_copies();
            if (++asked == places) asked = 0, asked_channel += T::DEPTH;
            own.add_pixels(patches + (a * patch.wide + b) * PIXEL, rows, shared + present * OfRight::FLOATS, fragments);
            if (++b == picture.kw) b = 0, ++a;
            present = present + 1 == STAGES ? 0 : present + 1;
            next = next + 1 == STAGES ? 0 : next + 1;
        }
        patches = other;
    }
    finish<T>(shared, own, result, column, vector);
}

// A block's tile and group: of so many rows of positions, each `lines` of them.
template <class T> DEVICE Turn rows_of(Block block, int rows, int lines, int columns, int groups) {
    int along = (columns + T::COLUMNS - 1) / T::COLUMNS, tiles = (rows + lines - 1) / lines * along;
    int tile = block.index % tiles;
    return Turn{tile / along * lines, tile % along * T::COLUMNS, block.index / tiles % groups, 0};
}

template <class T>
DEVICE void convolve_picture(Block block, const float* x, const float* w, const float* beside, float* y, int floats,
                             int way, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups, lines = T::ROWS / g.columns;
    Turn turn = rows_of<T>(block, g.images * g.rows, lines, filters, g.groups);
    Picture picture{x + turn.group * each, g.images, g.height, g.width, each, g.channels, g.rows, g.columns, g.kh, g.kw,
                    g.top, g.left};
    KernelAtPlace kernel{{w, g.filters, filters, each}, w + turn.group * filters, each};
    Straight result{y + turn.group * filters, End{beside, 1.0f, 0.0f, way},
                    min(g.images * g.rows, turn.row + lines) * g.columns, filters, g.filters, turn.row * g.columns};
    picture_tile<T>(block.shared, picture,
                    AlongLines<T::COLUMNS, T::DEPTH, T::PRECISION, KernelAtPlace>(kernel, filters % 4 == 0, turn.column),
                    turn.row, floats, result, turn.column, filters % 4 == 0);
}

template <class T>
DEVICE void convolve_picture_transposed(Block block, const float* y, const float* w, float* x, int floats, Geometry g) {
    int each = g.channels / g.groups, filters = g.filters / g.groups, lines = T::ROWS / g.width;
    Turn turn = rows_of<T>(block, g.images * g.height, lines, each, g.groups);
    Picture picture{y + turn.group * filters, g.images, g.rows, g.columns, filters, g.filters, g.height, g.width, g.kh,
                    g.kw, g.kh - 1 - g.top, g.kw - 1 - g.left};
    TurnedAtPlace kernel{{w, g.filters, each, filters}, w + turn.group * filters, filters, g.kh * g.kw};
    Straight result{x + turn.group * each, End{}, min(g.images * g.height, turn.row + lines) * g.width, each, g.channels,
                    turn.row * g.width};
    picture_tile<T>(block.shared, picture,
                    AlongSteps<T::COLUMNS, T::DEPTH, T::PRECISION, TurnedAtPlace>(kernel, true, turn.column), turn.row,
                    floats, result, turn.column, each % 4 == 0);
}

#endif
