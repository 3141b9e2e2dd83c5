// The long short-term memory over a sequence: `nnctl.ops` says what it computes, scan.cuh how.

#include "scan.cuh"

// Turns `turn` … turn + turns − 1 of the scan. Gates i, f, g, o lie side by side.
KERNEL lstm(Block block,
    const float* p, const float* weight, const float* h0, const float* c0, const long long* mask, float* h, float* c,
    float* gates, long long* arrived, int batch, int steps, int units, int masked, int reverse, int turn, int turns,
    int quads, int tiles, int chunk) {
    Scan scan = scan_of<4>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    Weights recurrent = {weight, 4 * units, 1, units, 4};
    for (int s = turn; s < turn + turns; ++s) {
        Moment moment = moment_of(s, steps, reverse);
        States states = states_before(scan, moment, h0, h);
        if (s == turn) begin<4>(scan, recurrent, states, true);
        else turn_over(scan, states);
        for (int tile = 0; tile < tiles; ++tile) {
            Pair pair = pair_of(scan, tile);
            long long first = place_at(scan, pair, moment.t, 4 * units);
            float z[4], cell = 0.0f, hidden = 0.0f;
            bool skip = false;
            // Read before the product, which hides how long that takes.
            if (pair.mine) {
                for (int gate = 0; gate < 4; ++gate) z[gate] = p[first + gate * units];
                cell = state_before(scan, pair, moment, c0, c);
                skip = is_skipped(scan, pair, moment, mask, masked);
                if (skip) hidden = state_before(scan, pair, moment, h0, h);
            }
            multiply<4>(scan, tile, recurrent, states);
            if (!pair.mine) continue;
            for (int gate = 0; gate < 4; ++gate) {
                z[gate] += product_of<4>(scan, pair, tile, gate);
                z[gate] = gate == 2 ? tanhf(z[gate]) : sigmoid(z[gate]);
                gates[first + gate * units] = z[gate];
            }
            if (!skip) {
                cell = z[1] * cell + z[0] * z[2];
                hidden = z[3] * tanhf(cell);
            }
            long long place = place_at(scan, pair, moment.t, units);
            c[place] = cell;
            h[place] = hidden;
            keep(scan, pair, pair.unit, hidden);
        }
    }
}

// Turns of the way back: 0 … steps, the last of which gives the gradient of the first h alone. Between turns dh has
// the gradients that skipped steps hand on, and dc those of the cells.
KERNEL lstm_gradient(Block block,
    const float* gates, const float* weight, const float* c, const float* c0, const float* of_h, const float* of_c,
    const float* of_gates, const long long* mask, float* dp, float* dh, float* dc, long long* arrived, int batch,
    int steps, int units, int given_h, int given_c, int given_gates, int masked, int reverse, int turn, int turns,
    int quads, int tiles, int chunk) {
    Scan scan = scan_of<1>(block, batch, steps, units, 4 * units, arrived, turns, quads, tiles, chunk);
    Weights transposed = {weight, 1, 4 * units, 0, 1};
    for (int s = turn; s < turn + turns; ++s) {
        Back back = back_of(s, steps, reverse);
        Moment moment = back.moment;
        States states = states_at(scan, dp, back.later.t, 4 * units, 0);
        if (s == turn) begin<1>(scan, transposed, states, back.any);
        else turn_over(scan, states);
        for (int tile = 0; tile < tiles; ++tile) {
            Pair pair = pair_of(scan, tile);
            int own = place_of(scan, pair);
            long long first = place_at(scan, pair, moment.t, 4 * units), place = place_at(scan, pair, moment.t, units);
            float a[4], d[4], hidden = 0.0f, cell = 0.0f, squashed = 0.0f, before = 0.0f;
            bool skip = false;
            if (pair.mine) {
                if (back.any && masked) hidden = dh[own];
                if (!back.over) {
                    if (back.any) cell = dc[own];
                    if (given_h) hidden += of_h[place];
                    if (given_c) cell += of_c[place];
                    for (int gate = 0; gate < 4; ++gate) {
                        a[gate] = gates[first + gate * units];
                        d[gate] = given_gates ? of_gates[first + gate * units] : 0.0f;
                    }
                    squashed = tanhf(c[place]);
                    before = state_before(scan, pair, moment, c0, c);
                    skip = is_skipped(scan, pair, moment, mask, masked);
                }
            }
            if (back.any) multiply<1>(scan, tile, transposed, states);
            if (!pair.mine || !goes_on(scan, pair, tile, back, dh, hidden)) continue;
            dh[own] = skip ? hidden : 0.0f;
            if (!skip) {
                cell += hidden * a[3] * (1.0f - squashed * squashed);
                d[0] += cell * a[2];
                d[1] += cell * before;
                d[2] += cell * a[0];
                d[3] += hidden * squashed;
                dc[own] = cell * a[1];
            } else {
                dc[own] = cell;
            }
            for (int gate = 0; gate < 4; ++gate) {
                d[gate] *= gate == 2 ? 1.0f - a[2] * a[2] : a[gate] * (1.0f - a[gate]);
                dp[first + gate * units] = d[gate];
                keep(scan, pair, gate * units + pair.unit, d[gate]);
            }
        }
    }
}
