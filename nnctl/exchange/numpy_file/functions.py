"""Functions that a net's file is made of: plain NumPy, each written out in the file that calls it.

They call nothing but NumPy, `math` and each other.
"""

# No annotations: what stands here is read by students, in the file of their net.
# mypy: ignore-errors

import math

import numpy as np


def sigmoid(z):
    """The logistic function, 1/(1 + e^-z), written so that nothing overflows."""
    return 0.5 * np.tanh(0.5 * z) + 0.5


def softmax(z):
    """e^z, divided by the sum over the last axis."""
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def erf(z):
    """The error function, which NumPy does not have."""
    return np.vectorize(math.erf, otypes=[z.dtype])(z)


def windows(x, size, stride, padding, dilation, fill=0.0):
    """Windows of x (n, *axes, channels), one at each position: (n, *positions, channels, *size)."""
    x = np.pad(x, ((0, 0), *padding, (0, 0)), constant_values=fill)
    reach = [d * (k - 1) + 1 for k, d in zip(size, dilation)]
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axis=tuple(range(1, x.ndim - 1)))
    moves = [slice(None, None, s) for s in stride]
    return view[(slice(None), *moves, slice(None), *[slice(None, None, d) for d in dilation])]


def convolution(x, w, stride, padding, dilation, groups):
    """Products of each window of x with w (*kernel, channels/groups, filters): (n, *positions, filters)."""
    axes = w.ndim - 2
    seen = windows(x, w.shape[:-2], stride, padding, dilation)
    parts = []
    for channels, filters in zip(np.split(seen, groups, axis=axes + 1), np.split(w, groups, axis=-1)):
        # Summed over the channels and the places of the kernel.
        parts.append(np.tensordot(channels, np.moveaxis(filters, -2, 0), axes=axes + 1))
    return np.concatenate(parts, axis=-1)


def convolution_transpose(x, w, lengths, stride, padding, dilation, groups):
    """Each number of x spread over a window by w (*kernel, filters/groups, channels): (n, *lengths, filters)."""
    *kernel, filters, _ = w.shape
    padded = [n + before + after for n, (before, after) in zip(lengths, padding)]
    out = np.zeros((len(x), *padded, filters * groups), x.dtype)
    parts = list(zip(np.split(x, groups, axis=-1), np.split(w, groups, axis=-1), np.split(out, groups, axis=-1)))
    for place in np.ndindex(*kernel):
        met = [slice(k * d, k * d + s * (n - 1) + 1, s) for k, d, s, n in zip(place, dilation, stride, x.shape[1:])]
        for some, weights, sums in parts:
            sums[(slice(None), *met)] += some @ weights[place].T
    return out[(slice(None), *[slice(before, before + n) for n, (before, _) in zip(lengths, padding)])]


def max_pool(x, size, stride, padding, dilation):
    """The largest number of each window."""
    axes = tuple(range(-len(size), 0))
    return windows(x, size, stride, padding, dilation, fill=-np.inf).max(axis=axes)


def sum_pool(x, size, stride, padding, dilation):
    """The sum of each window."""
    axes = tuple(range(-len(size), 0))
    return windows(x, size, stride, padding, dilation).sum(axis=axes)


def window_counts(lengths, size, stride, padding, dilation):
    """Numbers of each window that lie within, counted: (*positions, 1)."""
    return sum_pool(np.ones((1, *lengths, 1), np.float32), size, stride, padding, dilation)[0]


def spread_pool(x, lengths, size, stride, padding, dilation):
    """Each number of x at all places of its window, added up: (n, *lengths, channels)."""
    padded = [n + before + after for n, (before, after) in zip(lengths, padding)]
    out = np.zeros((len(x), *padded, x.shape[-1]), x.dtype)
    for place in np.ndindex(*size):
        met = [slice(k * d, k * d + s * (n - 1) + 1, s) for k, d, s, n in zip(place, dilation, stride, x.shape[1:])]
        out[(slice(None), *met)] += x
    return out[(slice(None), *[slice(before, before + n) for n, (before, _) in zip(lengths, padding)])]


def pad(x, axis, before, after):
    """Zeros before and after x along an axis."""
    return np.pad(x, [(before, after) if i == axis else (0, 0) for i in range(x.ndim)])


def interpolate(x, axis, factor):
    """Numbers between those of x along an axis, `factor` for each, on the line between the two nearest."""
    length = x.shape[axis]
    place = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, length - 1)
    share = (place - before).astype(x.dtype).reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return (1 - share) * x.take(before, axis) + share * x.take(after, axis)


def differs(x, value):
    """1 where x is not `value`; of steps with several numbers, where one of them is not."""
    return (x != value).astype(int) if x.ndim == 2 else (x != value).any(axis=-1).astype(int)


def steps(p, reverse):
    """The steps of a sequence (n, time, …), from the last one where `reverse`."""
    return reversed(range(p.shape[1])) if reverse else range(p.shape[1])


def kept(mask, t, old, new):
    """The new state, but the old one where the mask leaves the step t out."""
    return new if mask is None else np.where(mask[:, t, None] > 0, new, old)


def rnn(p, R, h, mask=None, activation="tanh", reverse=False):
    """A plain recurrent layer over the inputs' sums p: h = f(p_t + h·R), all h (n, time, units)."""
    out = np.zeros((*p.shape[:2], len(R)), p.dtype)
    for t in steps(p, reverse):
        z = p[:, t] + h @ R
        h = kept(mask, t, h, np.tanh(z) if activation == "tanh" else np.maximum(0.0, z))
        out[:, t] = h
    return out


def leaky_rnn(p, R, h, leak):
    """A reservoir: h = (1 − leak)·h + leak·tanh(p_t + h·R)."""
    out = np.zeros((*p.shape[:2], len(R)), p.dtype)
    for t in range(p.shape[1]):
        h = (1.0 - leak) * h + leak * np.tanh(p[:, t] + h @ R)
        out[:, t] = h
    return out


def lstm(p, R, h, c, mask=None, reverse=False):
    """Long short-term memory, gates i, f, g, o side by side in p and R (units, 4·units): all h (n, time, units)."""
    out = np.zeros((*p.shape[:2], len(R)), p.dtype)
    for t in steps(p, reverse):
        i, f, g, o = np.split(p[:, t] + h @ R, 4, axis=1)
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h, c = kept(mask, t, h, sigmoid(o) * np.tanh(new)), kept(mask, t, c, new)
        out[:, t] = h
    return out


def gru(p, R, b, h, mask=None, reset_after=True, reverse=False):
    """A gated recurrent unit, gates r, z, n side by side in p and R (units, 3·units): all h (n, time, units)."""
    out = np.zeros((*p.shape[:2], len(R)), p.dtype)
    units = len(R)
    for t in steps(p, reverse):
        pr, pz, pn = np.split(p[:, t], 3, axis=1)
        sr, sz, sn = np.split(h @ R + b, 3, axis=1)
        r, z = sigmoid(pr + sr), sigmoid(pz + sz)
        if not reset_after:
            sn = (r * h) @ R[:, 2 * units :] + b[2 * units :]
        n = np.tanh(pn + (r * sn if reset_after else sn))
        h = kept(mask, t, h, (1.0 - z) * n + z * h)
        out[:, t] = h
    return out
