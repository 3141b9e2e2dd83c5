// The plain cell and the leaky one over a sequence: `nnctl.ops` says what they compute, scan.cuh how.

#include "scan.cuh"

// Turns `turn` … turn + turns − 1 of the scan. relu: else tanh. leak: of the state, 1 where nothing of it stays.
KERNEL rnn(Block block,
    const float* p, const float* weight, const float* h0, const long long* mask, float* h, long long* arrived,
    int batch, int steps, int units, int masked, int reverse, int relu, float leak, int turn, int turns, int quads,
    int tiles, int chunk) {
    Scan scan = scan_of<1>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    Weights recurrent = {weight, units, 1, 0, 1};
    for (int s = turn; s < turn + turns; ++s) {
        Moment moment = moment_of(s, steps, reverse);
        States states = states_before(scan, moment, h0, h);
        if (s == turn) begin<1>(scan, recurrent, states, true);
        else turn_over(scan, states);
        for (int tile = 0; tile < tiles; ++tile) {
            Pair pair = pair_of(scan, tile);
            long long place = place_at(scan, pair, moment.t, units);
            float z = 0.0f, before = 0.0f;
            bool skip = false;
            // Read before the product, which hides how long that takes.
            if (pair.mine) {
                z = p[place];
                skip = is_skipped(scan, pair, moment, mask, masked);
                if (skip || leak != 1.0f) before = state_before(scan, pair, moment, h0, h);
            }
            multiply<1>(scan, tile, recurrent, states);
            if (!pair.mine) continue;
            z += product_of<1>(scan, pair, tile, 0);
            float a = relu ? larger(0.0f, z) : tanhf(z);
            if (leak != 1.0f) a = (1.0f - leak) * before + leak * a;
            if (skip) a = before;
            h[place] = a;
            keep(scan, pair, pair.unit, a);
        }
    }
}

// Turns of the way back: 0 … steps, the last of which gives the gradient of the first state alone. Between turns dh
// has the gradients that skipped steps hand on.
KERNEL rnn_gradient(Block block,
    const float* h, const float* weight, const float* of_h, const long long* mask, float* dp, float* dh,
    long long* arrived, int batch, int steps, int units, int masked, int reverse, int relu, int turn, int turns,
    int quads, int tiles, int chunk) {
    Scan scan = scan_of<1>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    Weights transposed = {weight, 1, units, 0, 1};
    for (int s = turn; s < turn + turns; ++s) {
        Back back = back_of(s, steps, reverse);
        Moment moment = back.moment;
        States states = states_at(scan, dp, back.later.t, units, 0);
        if (s == turn) begin<1>(scan, transposed, states, back.any);
        else turn_over(scan, states);
        for (int tile = 0; tile < tiles; ++tile) {
            Pair pair = pair_of(scan, tile);
            int own = place_of(scan, pair);
            long long place = place_at(scan, pair, moment.t, units);
            float hidden = 0.0f, a = 0.0f;
            bool skip = false;
            if (pair.mine) {
                if (back.any && masked) hidden = dh[own];
                if (!back.over) {
                    hidden += of_h[place];
                    a = h[place];
                    skip = is_skipped(scan, pair, moment, mask, masked);
                }
            }
            if (back.any) multiply<1>(scan, tile, transposed, states);
            if (!pair.mine || !goes_on(scan, pair, tile, back, dh, hidden)) continue;
            dh[own] = skip ? hidden : 0.0f;
            float slope = relu ? (a > 0.0f ? 1.0f : 0.0f) : 1.0f - a * a;
            float d = (skip ? 0.0f : hidden) * slope;
            dp[place] = d;
            keep(scan, pair, pair.unit, d);
        }
    }
}

// What blocks count that meet, before a scan of any cell.
KERNEL nobody_has_arrived(Block block, long long* arrived, int count) {
    int i = element_of(block);
    if (i < count) arrived[i] = 0;
}
