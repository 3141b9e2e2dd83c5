// Pooling over windows of (images, height, width, channels): one thread makes WIDTH neighbouring channels of
// one place of the result. What flows back is gathered, too: each place of the image asks the windows that
// cover it, so that nothing is added by two threads.

struct Windows {
    int kh, kw;            // places of the window
    int down, across;      // how far it moves
    int top, left;         // padding before the image
    int height, width;     // of the image
    int rows, columns;     // positions of the window
    int channels;          // in packs
    int apart, aside;      // how far the places of the window lie from one another
};

// A place of an array (images, rows, columns, channels), found from its number.
struct Spot {
    int image, row, column, channel;
};

DEVICE Spot spot_of(int number, int rows, int columns, int channels) {
    Spot spot;
    int rest = number / channels;
    spot.channel = number - rest * channels;
    int line = rest / columns;
    spot.column = rest - line * columns;
    spot.image = line / rows;
    spot.row = line - spot.image * rows;
    return spot;
}

// The places of a window that lie inside the image along one axis: first … end − 1.
DEVICE int first_inside(int start, int apart) { return max(0, apart == 1 ? -start : (apart - 1 - start) / apart); }
DEVICE int end_inside(int start, int size, int length, int apart) {
    return min(size, apart == 1 ? length - start : (length - start + apart - 1) / apart);
}

// The place of a window at `offset` behind its first; −1 where it has none there.
DEVICE int place_at(int offset, int apart) {
    if (apart == 1) return offset;
    int place = offset / apart;
    return place * apart == offset ? place : -1;
}

// Calls use(element of the image, place of the window) for each place of a window inside the image, in order.
template <class Use> DEVICE void each_place(Windows w, Spot at, Use use) {
    int up = at.row * w.down - w.top, side = at.column * w.across - w.left;
    int end_row = end_inside(up, w.kh, w.height, w.apart), end_column = end_inside(side, w.kw, w.width, w.aside);
    for (int a = first_inside(up, w.apart); a < end_row; ++a) {
        int line = (at.image * w.height + up + a * w.apart) * w.width + side;
        for (int b = first_inside(side, w.aside); b < end_column; ++b) {
            use((line + b * w.aside) * w.channels + at.channel, a * w.kw + b);
        }
    }
}

// Calls use(position's element, place of its window) for each window that covers a place of the image, by
// ascending places.
template <class Use> DEVICE void each_window(Windows w, Spot at, Use use) {
    int y = at.row + w.top, x = at.column + w.left;
    int last_row = min(w.rows - 1, y / w.down), last_column = min(w.columns - 1, x / w.across);
    int tall = (w.kh - 1) * w.apart, wide = (w.kw - 1) * w.aside;
    for (int i = last_row; i >= 0 && y - i * w.down <= tall; --i) {
        int line = (at.image * w.rows + i) * w.columns;
        int a = place_at(y - i * w.down, w.apart);
        if (a < 0) continue;
        for (int j = last_column; j >= 0 && x - j * w.across <= wide; --j) {
            int b = place_at(x - j * w.across, w.aside);
            if (b >= 0) use((line + j) * w.channels + at.channel, a * w.kw + b);
        }
    }
}

template <int WIDTH> DEVICE void largest_of(Windows w, const float* x, float* y, int number) {
    Pack<float, WIDTH> largest = all_of<WIDTH>(-INFINITE);
    each_place(w, spot_of(number, w.rows, w.columns, w.channels), [&](int element, int) {
        Pack<float, WIDTH> found = pack_at<WIDTH>(x, element);
        for (int k = 0; k < WIDTH; ++k) largest.at[k] = larger(largest.at[k], found.at[k]);
    });
    put_pack(y, number, largest);
}

// The place of the largest, and what it is where that is asked for, too. What is no number is never ahead, and nothing is
// ahead of it.
template <int WIDTH> DEVICE void place_of(Windows w, const float* x, long long* y, int number, float* value = nullptr) {
    Pack<float, WIDTH> largest = all_of<WIDTH>(-INFINITE);
    // As they are stored they would take twice the registers.
    int places[WIDTH] = {};
    each_place(w, spot_of(number, w.rows, w.columns, w.channels), [&](int element, int place) {
        Pack<float, WIDTH> found = pack_at<WIDTH>(x, element);
        for (int k = 0; k < WIDTH; ++k) {
            if (found.at[k] > largest.at[k]) places[k] = place;
            largest.at[k] = larger(largest.at[k], found.at[k]);
        }
    });
    Pack<long long, WIDTH> stored;
    for (int k = 0; k < WIDTH; ++k) stored.at[k] = places[k];
    put_pack(y, number, stored);
    if (value != nullptr) put_pack(value, number, largest);
}

template <int WIDTH> DEVICE void sum_of(Windows w, const float* x, float* y, int number) {
    Pack<float, WIDTH> sum = all_of<WIDTH>(0.0f);
    each_place(w, spot_of(number, w.rows, w.columns, w.channels), [&](int element, int) {
        Pack<float, WIDTH> found = pack_at<WIDTH>(x, element);
        for (int k = 0; k < WIDTH; ++k) sum.at[k] += found.at[k];
    });
    put_pack(y, number, sum);
}

template <int WIDTH> DEVICE void spread_to(Windows w, const float* g, float* y, int number) {
    Pack<float, WIDTH> sum = all_of<WIDTH>(0.0f);
    each_window(w, spot_of(number, w.height, w.width, w.channels), [&](int element, int) {
        Pack<float, WIDTH> found = pack_at<WIDTH>(g, element);
        for (int k = 0; k < WIDTH; ++k) sum.at[k] += found.at[k];
    });
    put_pack(y, number, sum);
}

template <int WIDTH> DEVICE void put_to(Windows w, const float* g, const long long* places, float* y, int number) {
    Pack<float, WIDTH> sum = all_of<WIDTH>(0.0f);
    each_window(w, spot_of(number, w.height, w.width, w.channels), [&](int element, int place) {
        Pack<float, WIDTH> found = pack_at<WIDTH>(g, element);
        Pack<long long, WIDTH> meant = pack_at<WIDTH>(places, element);
        for (int k = 0; k < WIDTH; ++k) sum.at[k] += meant.at[k] == place ? found.at[k] : 0.0f;
    });
    put_pack(y, number, sum);
}

// Channels of one pack may have their maxima at different places: each is read by itself.
DEVICE float taken(Windows w, const float* x, Spot at, long long place) {
    if (place < 0 || place >= w.kh * w.kw) return 0.0f;
    int a = int(place) / w.kw;
    int row = at.row * w.down - w.top + a * w.apart;
    int column = at.column * w.across - w.left + (int(place) - a * w.kw) * w.aside;
    if (row < 0 || row >= w.height || column < 0 || column >= w.width) return 0.0f;
    return x[((at.image * w.height + row) * w.width + column) * w.channels + at.channel];
}

KERNEL max_pool(Block block, const float* x, float* y, int count, int pack, int kh, int kw, int down, int across,
                int top, int left, int height, int width, int rows, int columns, int channels, int apart,
                int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) largest_of<4>(w, x, y, i);
    else largest_of<1>(w, x, y, i);
}

KERNEL maximum_place(Block block, const float* x, long long* y, int count, int pack, int kh, int kw, int down,
                     int across, int top, int left, int height, int width, int rows, int columns, int channels,
                     int apart, int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) place_of<4>(w, x, y, i);
    else place_of<1>(w, x, y, i);
}

// Both of them: the image is read once.
KERNEL max_pool_and_place(Block block, const float* x, float* y, long long* places, int count, int pack, int kh, int kw,
                          int down, int across, int top, int left, int height, int width, int rows, int columns,
                          int channels, int apart, int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) place_of<4>(w, x, places, i, y);
    else place_of<1>(w, x, places, i, y);
}

KERNEL sum_pool(Block block, const float* x, float* y, int count, int pack, int kh, int kw, int down, int across,
                int top, int left, int height, int width, int rows, int columns, int channels, int apart,
                int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) sum_of<4>(w, x, y, i);
    else sum_of<1>(w, x, y, i);
}

KERNEL spread_pool(Block block, const float* g, float* y, int count, int pack, int kh, int kw, int down, int across,
                   int top, int left, int height, int width, int rows, int columns, int channels, int apart,
                   int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) spread_to<4>(w, g, y, i);
    else spread_to<1>(w, g, y, i);
}

KERNEL put_into_windows(Block block, const float* g, const long long* places, float* y, int count, int pack, int kh,
                        int kw, int down, int across, int top, int left, int height, int width, int rows,
                        int columns, int channels, int apart, int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i >= count) return;
    if (pack == 4) put_to<4>(w, g, places, y, i);
    else put_to<1>(w, g, places, y, i);
}

KERNEL take_from_windows(Block block, const float* x, const long long* places, float* y, int count, int pack,
                         int kh, int kw, int down, int across, int top, int left, int height, int width, int rows,
                         int columns, int channels, int apart, int aside) {
    Windows w{kh, kw, down, across, top, left, height, width, rows, columns, channels, apart, aside};
    int i = element_of(block);
    if (i < count) y[i] = taken(w, x, spot_of(i, rows, columns, channels), places[i]);
}
