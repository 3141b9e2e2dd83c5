// The gated recurrent unit over a sequence: `nnctl.ops` says what it computes, scan.cuh how. Gates r, z, n lie side
// by side, with s_n after them where the reset gate comes after the product.

#include "scan.cuh"

// Turns `turn` … turn + turns − 1 of the scan, the reset gate after the product.
KERNEL gru(Block block,
    const float* p, const float* weight, const float* bias, const float* h0, const long long* mask, float* h,
    float* gates, long long* arrived, int batch, int steps, int units, int masked, int reverse, int turn, int turns,
    int quads, int tiles, int chunk) {
    Scan scan = scan_of<4>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    Weights recurrent = {weight, 3 * units, 1, units, 3};
    for (int s = turn; s < turn + turns; ++s) {
        Moment moment = moment_of(s, steps, reverse);
        States states = states_before(scan, moment, h0, h);
        if (s == turn) begin<4>(scan, recurrent, states, true);
        else turn_over(scan, states);
        for (int tile = 0; tile < tiles; ++tile) {
            Pair pair = pair_of(scan, tile);
            long long first = place_at(scan, pair, moment.t, 3 * units);
            long long kept = place_at(scan, pair, moment.t, 4 * units);
            float x[3], s[3], before = 0.0f;
            bool skip = false;
            // Read before the product, which hides how long that takes.
            if (pair.mine) {
                for (int gate = 0; gate < 3; ++gate) {
                    x[gate] = p[first + gate * units];
                    s[gate] = bias[gate * units + pair.unit];
                }
                before = state_before(scan, pair, moment, h0, h);
                skip = is_skipped(scan, pair, moment, mask, masked);
            }
            multiply<4>(scan, tile, recurrent, states);
            if (!pair.mine) continue;
            for (int gate = 0; gate < 3; ++gate) s[gate] += product_of<4>(scan, pair, tile, gate);
            float r = sigmoid(x[0] + s[0]), z = sigmoid(x[1] + s[1]), n = tanhf(x[2] + r * s[2]);
            gates[kept] = r;
            gates[kept + units] = z;
            gates[kept + 2 * units] = n;
            gates[kept + 3 * units] = s[2];
            float hidden = skip ? before : (1.0f - z) * n + z * before;
            h[place_at(scan, pair, moment.t, units)] = hidden;
            keep(scan, pair, pair.unit, hidden);
        }
    }
}

// Half turns of the scan, the reset gate before the product: even ones make r and z, odd ones n and the state.
KERNEL gru_reset_before(Block block,
    const float* p, const float* weight, const float* bias, const float* h0, const long long* mask, float* h,
    float* gates, long long* arrived, int batch, int steps, int units, int masked, int reverse, int turn, int turns,
    int quads, int tiles, int chunk) {
    Scan switches = scan_of<4>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    block = behind(block, switches, turns);
    Scan candidate = scan_of<1>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    candidate.following = candidate.states;
    Weights of_switches = {weight, 3 * units, 1, units, 2}, of_candidate = {weight + 2 * units, 3 * units, 1, 0, 1};
    for (int half = turn; half < turn + turns; ++half) {
        Moment moment = moment_of(half / 2, steps, reverse);
        States states = states_before(switches, moment, h0, h), reset = states;
        reset.factor = gates + (long long)moment.t * 3 * units;
        reset.factor_between = steps * 3 * units;
        bool second = half % 2;
        if (half == turn) {
            if (!second) begin<4>(switches, of_switches, states, true);
            if (second || turns > 1) begin<1>(candidate, of_candidate, reset, second);
        } else if (second) {
            turn_over(candidate, reset);
        } else {
            turn_over(switches, states);
        }
        for (int tile = 0; tile < tiles && !second; ++tile) {
            Pair pair = pair_of(switches, tile);
            long long first = place_at(switches, pair, moment.t, 3 * units);
            float r = 0.0f, z = 0.0f, before = 0.0f;
            if (pair.mine) {
                r = p[first] + bias[pair.unit];
                z = p[first + units] + bias[units + pair.unit];
                before = state_before(switches, pair, moment, h0, h);
            }
            multiply<4>(switches, tile, of_switches, states);
            if (!pair.mine) continue;
            r = sigmoid(r + product_of<4>(switches, pair, tile, 0));
            gates[first] = r;
            gates[first + units] = sigmoid(z + product_of<4>(switches, pair, tile, 1));
            keep(candidate, pair, pair.unit, r * before);
        }
        for (int tile = 0; tile < tiles && second; ++tile) {
            Pair pair = pair_of(candidate, tile);
            long long first = place_at(candidate, pair, moment.t, 3 * units);
            float n = 0.0f, z = 0.0f, before = 0.0f;
            bool skip = false;
            if (pair.mine) {
                n = p[first + 2 * units] + bias[2 * units + pair.unit];
                z = gates[first + units];
                before = state_before(candidate, pair, moment, h0, h);
                skip = is_skipped(candidate, pair, moment, mask, masked);
            }
            multiply<1>(candidate, tile, of_candidate, reset);
            if (!pair.mine) continue;
            n = tanhf(n + product_of<1>(candidate, pair, tile, 0));
            float hidden = skip ? before : (1.0f - z) * n + z * before;
            gates[first + 2 * units] = n;
            h[place_at(candidate, pair, moment.t, units)] = hidden;
            keep(switches, pair, pair.unit, hidden);
        }
    }
}

// Turns of the way back: 0 … steps, the last of which gives the gradient of the first state alone. Between turns dh
// has what of the state's gradient passes the product by.
KERNEL gru_gradient(Block block,
    const float* gates, const float* weight, const float* h, const float* h0, const float* of_h,
    const float* of_gates, const long long* mask, float* dp, float* ds, float* dh, long long* arrived, int batch,
    int steps, int units, int given_h, int given_gates, int masked, int reverse, int turn, int turns, int quads,
    int tiles, int chunk) {
    Scan scan = scan_of<1>(block, batch, steps, units, 3 * units, arrived, turns, quads, tiles, chunk);
    Weights transposed = {weight, 1, 3 * units, 0, 1};
    for (int s = turn; s < turn + turns; ++s) {
        Back back = back_of(s, steps, reverse);
        Moment moment = back.moment;
        States states = states_at(scan, ds, back.later.t, 3 * units, 0);
        if (s == turn) begin<1>(scan, transposed, states, back.any);
        else turn_over(scan, states);
        for (int tile = 0; tile < tiles; ++tile) {
            Pair pair = pair_of(scan, tile);
            int own = place_of(scan, pair);
            long long first = place_at(scan, pair, moment.t, 3 * units);
            long long kept = place_at(scan, pair, moment.t, 4 * units);
            float a[4], d[4], hidden = 0.0f, before = 0.0f;
            bool skip = false;
            if (pair.mine) {
                if (back.any) hidden = dh[own];
                if (!back.over) {
                    if (given_h) hidden += of_h[place_at(scan, pair, moment.t, units)];
                    for (int gate = 0; gate < 4; ++gate) {
                        a[gate] = gates[kept + gate * units];
                        d[gate] = given_gates ? of_gates[kept + gate * units] : 0.0f;
                    }
                    before = state_before(scan, pair, moment, h0, h);
                    skip = is_skipped(scan, pair, moment, mask, masked);
                }
            }
            if (back.any) multiply<1>(scan, tile, transposed, states);
            if (!pair.mine || !goes_on(scan, pair, tile, back, dh, hidden)) continue;
            float passed = skip ? hidden : 0.0f;
            if (skip) hidden = 0.0f;
            float r = a[0], z = a[1], n = a[2];
            float dn = (hidden * (1.0f - z) + d[2]) * (1.0f - n * n);
            float dr = (dn * a[3] + d[0]) * r * (1.0f - r), dz = (hidden * (before - n) + d[1]) * z * (1.0f - z);
            float dsn = dn * r + d[3];
            dp[first] = ds[first] = dr;
            dp[first + units] = ds[first + units] = dz;
            dp[first + 2 * units] = dn;
            ds[first + 2 * units] = dsn;
            dh[own] = hidden * z + passed;
            keep(scan, pair, pair.unit, dr);
            keep(scan, pair, units + pair.unit, dz);
            keep(scan, pair, 2 * units + pair.unit, dsn);
        }
    }
}

// Half turns of the way back, the reset gate before the product: even ones give the gradients of z and n, odd ones
// that of r; 0 … 2·steps, the last of which gives the gradient of the first state alone.
KERNEL gru_gradient_reset_before(Block block,
    const float* gates, const float* weight, const float* h, const float* h0, const float* of_h,
    const float* of_gates, const long long* mask, float* dp, float* ds, float* dh, long long* arrived, int batch,
    int steps, int units, int given_h, int given_gates, int masked, int reverse, int turn, int turns, int quads,
    int tiles, int chunk) {
    Scan switches = scan_of<1>(block, batch, steps, units, 2 * units, arrived, turns, quads, tiles, chunk);
    block = behind(block, switches, turns);
    Scan candidate = scan_of<1>(block, batch, steps, units, units, arrived, turns, quads, tiles, chunk);
    candidate.following = candidate.states;
    Weights of_switches = {weight, 1, 3 * units, 0, 1}, of_candidate = {weight + 2 * units, 1, 3 * units, 0, 1};
    for (int half = turn; half < turn + turns; ++half) {
        int s = half / 2;
        bool second = half % 2;
        Back back = back_of(s, steps, reverse);
        Moment moment = back.moment;
        States states = states_at(switches, ds, back.later.t, 3 * units, 0);
        States through = states_at(switches, ds, moment.t, 3 * units, 2 * units);
        if (half == turn) {
            if (!second) begin<1>(switches, of_switches, states, back.any);
            if (second || turns > 1) begin<1>(candidate, of_candidate, through, second);
        } else if (second) {
            turn_over(candidate, through);
        } else {
            turn_over(switches, states);
        }
        for (int tile = 0; tile < tiles && !second; ++tile) {
            Pair pair = pair_of(switches, tile);
            int own = place_of(switches, pair);
            long long first = place_at(switches, pair, moment.t, 3 * units);
            float z = 0.0f, n = 0.0f, dz = 0.0f, dn = 0.0f, hidden = 0.0f, before = 0.0f;
            bool skip = false;
            if (pair.mine) {
                if (back.any) hidden = dh[own];
                if (!back.over) {
                    if (given_h) hidden += of_h[place_at(switches, pair, moment.t, units)];
                    z = gates[first + units];
                    n = gates[first + 2 * units];
                    if (given_gates) dz = of_gates[first + units];
                    if (given_gates) dn = of_gates[first + 2 * units];
                    before = state_before(switches, pair, moment, h0, h);
                    skip = is_skipped(switches, pair, moment, mask, masked);
                }
            }
            if (back.any) multiply<1>(switches, tile, of_switches, states);
            if (!pair.mine || !goes_on(switches, pair, tile, back, dh, hidden)) continue;
            float passed = skip ? hidden : 0.0f;
            if (skip) hidden = 0.0f;
            dz = (hidden * (before - n) + dz) * z * (1.0f - z);
            dn = (hidden * (1.0f - z) + dn) * (1.0f - n * n);
            dp[first + units] = ds[first + units] = dz;
            dp[first + 2 * units] = ds[first + 2 * units] = dn;
            dh[own] = hidden * z + passed;
            keep(switches, pair, units + pair.unit, dz);
            keep(candidate, pair, pair.unit, dn);
        }
        for (int tile = 0; tile < tiles && second; ++tile) {
            Pair pair = pair_of(candidate, tile);
            int own = place_of(candidate, pair);
            long long first = place_at(candidate, pair, moment.t, 3 * units);
            float r = 0.0f, dr = 0.0f, hidden = 0.0f, before = 0.0f;
            if (pair.mine) {
                hidden = dh[own];
                r = gates[first];
                if (given_gates) dr = of_gates[first];
                before = state_before(candidate, pair, moment, h0, h);
            }
            multiply<1>(candidate, tile, of_candidate, through);
            if (!pair.mine) continue;
            float reset = product_of<1>(candidate, pair, tile, 0);
            dr = (reset * before + dr) * r * (1.0f - r);
            dp[first] = ds[first] = dr;
            dh[own] = hidden + reset * r;
            keep(switches, pair, pair.unit, dr);
        }
    }
}
