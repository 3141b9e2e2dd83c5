"""What generated code calls beside formulas: row-wise functions of classification, sums, random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from nnctl.backends.cpu.codegen.mathematics import F, exp, log

compiled = njit(cache=False, inline="never", fastmath={"contract"}, error_model="numpy", nogil=True)
_reordered = njit(cache=False, inline="never", fastmath={"contract", "reassoc"}, error_model="numpy", nogil=True)


@compiled
def fill(x: Any, value: Any) -> None:
    """x ← value."""
    for i in range(x.size):
        x[i] = value


@compiled
def copy(x: Any, out: Any) -> None:
    """out ← x."""
    for i in range(x.size):
        out[i] = x[i]


@_reordered
def total(x: Any) -> Any:
    """Σ x, in an order that vectors like: the same one each time."""
    s = F(0.0)
    for i in range(x.size):
        s += x[i]
    return s


@compiled
def softmax(z: Any, a: Any) -> None:
    """e^(z − max) / Σ, row by row."""
    rows, columns = z.shape
    for i in range(rows):
        largest = z[i, 0]
        for j in range(1, columns):
            largest = max(largest, z[i, j])
        for j in range(columns):
            a[i, j] = exp(z[i, j] - largest)
        s = F(0.0)
        for j in range(columns):
            s += a[i, j]
        scale = F(1.0) / s
        for j in range(columns):
            a[i, j] *= scale


@_reordered
def _log_normalizer(z: Any, i: Any) -> Any:
    """(max, ln Σ e^(z − max)) of a row."""
    columns = z.shape[1]
    largest = z[i, 0]
    for j in range(1, columns):
        largest = max(largest, z[i, j])
    s = F(0.0)
    for j in range(columns):
        s += exp(z[i, j] - largest)
    return largest, log(s)


@compiled
def softmax_log_likelihood(z: Any, labels: Any, out: Any) -> None:
    """ln Σ_k e^(z_k) − z_y."""
    for i in range(out.size):
        largest, logarithm = _log_normalizer(z, i)
        out[i] = logarithm - (z[i, labels[i]] - largest)


@compiled
def softmax_log_likelihood_weighted(z: Any, labels: Any, smoothing: Any, weights: Any, out: Any) -> None:
    """−Σ_k q_k ln softmax(z)_k."""
    for i in range(out.size):
        largest, logarithm = _log_normalizer(z, i)
        s = F(0.0)
        for k in range(z.shape[1]):
            s -= _share(labels[i], k, smoothing, weights) * (z[i, k] - largest - logarithm)
        out[i] = s


@compiled
def _share(label: Any, k: Any, smoothing: Any, weights: Any) -> Any:
    """q_k: what the log-likelihood weighs −ln a_k with."""
    hot = F(1.0) - smoothing if label == k else F(0.0)
    return weights[k] * (hot + smoothing / F(len(weights)))


@compiled
def log_likelihood(a: Any, labels: Any, out: Any) -> None:
    """−ln a_y."""
    for i in range(out.size):
        out[i] = -log(a[i, labels[i]])


@compiled
def log_likelihood_weighted(a: Any, labels: Any, smoothing: Any, weights: Any, out: Any) -> None:
    """−Σ_k q_k ln a_k, 0·ln 0 being 0."""
    for i in range(out.size):
        s = F(0.0)
        for k in range(a.shape[1]):
            q = _share(labels[i], k, smoothing, weights)
            s -= q * log(a[i, k] if q != F(0.0) else F(1.0))
        out[i] = s


@compiled
def target_distribution(labels: Any, smoothing: Any, weights: Any, out: Any) -> None:
    """q of each example."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = _share(labels[i], k, smoothing, weights)


@compiled
def label_weight(labels: Any, weights: Any, out: Any) -> None:
    """The weight of each example's class."""
    for i in range(out.size):
        out[i] = weights[labels[i]]


@compiled
def one_hot(labels: Any, out: Any) -> None:
    """1 at the label, 0 elsewhere."""
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = F(1.0) if labels[i] == k else F(0.0)


@compiled
def argmax(x: Any, out: Any) -> None:
    """The first of the largest of each row; a NaN counts as largest, as in NumPy."""
    for i in range(out.size):
        best = 0
        for j in range(1, x.shape[1]):
            if x[i, j] > x[i, best] or (x[i, j] != x[i, j] and x[i, best] == x[i, best]):
                best = j
        out[i] = best


@compiled
def in_top_k(scores: Any, labels: Any, k: Any, out: Any) -> None:
    """1 where fewer than k scores are ahead of the label's; of equal scores the first is ahead."""
    for i in range(out.size):
        own = scores[i, labels[i]]
        ahead = 0
        for j in range(scores.shape[1]):
            if scores[i, j] > own or (scores[i, j] == own and j < labels[i]):
                ahead += 1
        out[i] = F(1.0) if ahead < k else F(0.0)


_LOW = np.uint64(0xFFFFFFFF)
_THIRTY_TWO = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


@compiled
def _word(block: Any, lane: Any, stream: Any, low: Any, high: Any, k0: Any, k1: Any) -> Any:
    """One 32-bit word of Philox 4x32-10, as `nnctl.ops.philox` defines it."""
    c0, c1, c2, c3 = block, stream, low, high
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _THIRTY_TWO) ^ c1 ^ k0, p1 & _LOW, (p0 >> _THIRTY_TWO) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    word = c0 if lane == 0 else c1
    word = c2 if lane == 2 else word
    return c3 if lane == 3 else word


@compiled
def _block(block: Any, stream: Any, low: Any, high: Any, k0: Any, k1: Any) -> Any:
    """The four words of a counter."""
    c0, c1, c2, c3 = block, stream, low, high
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _THIRTY_TWO) ^ c1 ^ k0, p1 & _LOW, (p0 >> _THIRTY_TWO) ^ c3 ^ k1, p0 & _LOW
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@compiled
def _unit(word: Any) -> Any:
    """A word as a uniform on (0, 1)."""
    return (F(word >> np.uint64(9)) + F(0.5)) * F(2.0**-23)


@compiled
def uniform(seed: Any, step: Any, stream: Any, first: Any, out: Any) -> None:
    """Elements first, first + 1, … of a stream's uniforms."""
    k0, k1 = np.uint64(seed[0]), np.uint64(seed[1])
    low, high, s = np.uint64(step) & _LOW, np.uint64(step) >> _THIRTY_TWO, np.uint64(stream)
    done = 0
    while done < out.size and (first + done) % 4 != 0:
        element = first + done
        out[done] = _unit(_word(np.uint64(element // 4), element % 4, s, low, high, k0, k1))
        done += 1
    blocks = (out.size - done) // 4
    start = np.uint64((first + done) // 4)
    for b in range(blocks):
        c0, c1, c2, c3 = _block(start + np.uint64(b), s, low, high, k0, k1)
        out[done + 4 * b] = _unit(c0)
        out[done + 4 * b + 1] = _unit(c1)
        out[done + 4 * b + 2] = _unit(c2)
        out[done + 4 * b + 3] = _unit(c3)
    for i in range(done + 4 * blocks, out.size):
        element = first + i
        out[i] = _unit(_word(np.uint64(element // 4), element % 4, s, low, high, k0, k1))


@compiled
def normal(seed: Any, step: Any, stream: Any, first: Any, out: Any) -> None:
    """Elements first, first + 1, … of a stream's standard normals, by Box and Muller in float64."""
    k0, k1 = np.uint64(seed[0]), np.uint64(seed[1])
    low, high, s = np.uint64(step) & _LOW, np.uint64(step) >> _THIRTY_TWO, np.uint64(stream)
    for i in range(out.size):
        element = 2 * (first + i)
        c0, c1, c2, c3 = _block(np.uint64(element // 4), s, low, high, k0, k1)
        a, b = (c0, c1) if element % 4 == 0 else (c2, c3)
        radius = math.sqrt(-2.0 * math.log(float(_unit(a))))
        out[i] = F(radius * math.cos(2.0 * math.pi * float(_unit(b))))
