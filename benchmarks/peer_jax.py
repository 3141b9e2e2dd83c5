"""JAX: the net as pure functions, the step under `jit`, and all steps in one `scan`."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from benchmarks.data import Text
from benchmarks.nets import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAveragePool,
    MaxPool,
    Recurrent,
    placed,
)
from benchmarks.trainer import DeviceTrainer, Trainer
from benchmarks.workloads import Workload, orders, steps_within

_Arrays = dict[str, Any]
_PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32"}
"""JAX's words for them; what it does unasked on a GPU is neither to be relied on nor true float32."""
_SECONDS = 0.1
"""About how long a call of many steps is to take on a GPU."""
_LEAST, _RATE = 4e-5, 1e13
"""Seconds that a step takes at least, and FLOP/s: a guess before anything is compiled, by which steps are counted."""
_SMALL = 3e8
"""FLOP of a step below which a turn of the loop costs as much as what is done in it."""


def jax_jit(workload: Workload, threads: int) -> Trainer:
    """The step under `jit`, a Python loop over steps."""
    state, x, y, update = _start(workload)
    step = jax.jit(update, donate_argnums=0)
    held = [state]

    def once(rows: NDArray[Any]) -> Any:
        held[0], cost = step(held[0], x, y, rows)
        return cost

    def run(steps: int) -> None:
        for rows in orders(workload, steps):
            cost = once(rows)
        cost.block_until_ready()

    return Trainer(lambda rows: float(once(rows)), run)


def jax_scan(workload: Workload, threads: int) -> Trainer:
    """All steps in one `lax.scan` under `jit`, which is compiled for their number."""
    state, x, y, update = _start(workload)

    @jax.jit
    def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
        return lax.scan(lambda s, rows: update(s, x, y, rows), state, order)

    held = [state]

    def train(order: NDArray[Any]) -> Any:
        held[0], costs = epoch(held[0], x, y, order)
        return costs.block_until_ready()

    def run(steps: int) -> None:
        train(orders(workload, steps))

    return Trainer(lambda rows: float(train(rows[None])[0]), run, fixed_length=True)


def open_device() -> None:
    """Begin with a GPU what takes a moment: its context. Raises RuntimeError where JAX sees none."""
    jax.device_put(np.zeros(1), _device("cuda")).block_until_ready()


def jax_on_device(workload: Workload, precision: str, platform: str = "cuda") -> DeviceTrainer:
    """All steps in one `scan` on a GPU, its products in `precision`.

    The order of the examples lies there before the clock starts. Small steps are compiled one by one and eight at a
    time, and the faster way counts: which that is hangs on what a turn of the loop costs there.
    """
    device = _device(platform)
    steps = max(8, steps_within(_SECONDS, max(_LEAST, workload.flops / _RATE)) // 8 * 8)
    unrolled = (1, 8) if workload.flops < _SMALL else (1,)
    with jax.default_device(device), jax.default_matmul_precision(_PRECISIONS[precision]):
        state, x, y, update = _start(workload)

        def compiled(unroll: int) -> Callable[[Any, Any], Any]:
            def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
                return lax.scan(lambda s, rows: update(s, x, y, rows), state, order, unroll=unroll)

            order = jnp.zeros((steps, workload.batch), jnp.int32)
            made = jax.jit(epoch, donate_argnums=0).lower(state, x, y, order).compile()
            return lambda state, order: made(state, x, y, order)

        ways = [compiled(unroll) for unroll in unrolled]

    def placed(order: NDArray[Any]) -> Any:
        return jax.device_put(order.astype(np.int32), device).block_until_ready()

    def spent(way: Callable[[Any, Any], Any], state: Any, order: Any) -> tuple[float, Any, Any]:
        began = time.perf_counter()
        state, costs = jax.block_until_ready(way(state, order))
        return time.perf_counter() - began, state, costs

    def rehearsed(way: Callable[[Any, Any], Any], order: Any) -> float:
        copy = jax.tree.map(jnp.copy, state)
        _, copy, _ = spent(way, copy, order)
        return spent(way, copy, order)[0]

    everything = placed(orders(workload, steps))
    fastest = ways[0] if len(ways) == 1 else min(ways, key=lambda way: rehearsed(way, everything))
    held = [state]

    def costs(order: NDArray[Any]) -> list[float]:
        # The program that is timed, whose number of steps is fixed: what follows the first ones is of no interest.
        filled = np.concatenate([order, orders(workload, steps - len(order))])
        _, held[0], found = spent(fastest, held[0], placed(filled))
        return [float(cost) for cost in found[: len(order)]]

    def seconds(many: int) -> float:
        assert many == steps
        took, held[0], _ = spent(fastest, held[0], placed(orders(workload, steps)))
        return took

    return DeviceTrainer(costs, seconds, steps=steps, events=False)


def _device(platform: str) -> Any:
    """The first device of a platform. Raises RuntimeError where JAX sees none."""
    return jax.devices(platform)[0]


def _start(workload: Workload) -> tuple[Any, Any, Any, Callable[..., Any]]:
    """(first state, x, y, update) of a workload."""
    weights = {name: jnp.asarray(array) for name, array in workload.weights().items()}
    if isinstance(workload.data, Text):
        x, y = (jnp.asarray(a, jnp.int32) for a in workload.data.arrays())
    else:
        images, labels = workload.data.floats()
        x, y = jnp.asarray(images), jnp.asarray(labels)
        if workload.kind == "dense":
            x = x.reshape(len(x), -1)

    def cost(weights: _Arrays, running: _Arrays, xs: Any, ys: Any) -> tuple[Any, _Arrays]:
        logits, running = _forward(workload, weights, running, xs)
        scores = jax.nn.log_softmax(logits)
        return -jnp.mean(jnp.take_along_axis(scores, ys[..., None], axis=-1)), running

    rule = {"sgd": _sgd, "adam": _adam}[workload.optimizer]

    def update(state: Any, x: Any, y: Any, rows: Any) -> Any:
        weights, running, memory = state
        xs, ys = x[rows], y[rows]
        if workload.kind == "recurrent":
            xs, ys = xs.T, ys.T
        (value, running), g = jax.value_and_grad(cost, has_aux=True)(weights, running, xs, ys)
        weights, memory = rule(weights, g, memory, workload.learning_rate)
        return (weights, running, memory), value

    def zeros() -> Any:
        return jax.tree.map(jnp.zeros_like, weights)

    memory = (zeros(), zeros(), jnp.zeros(())) if workload.optimizer == "adam" else ()
    return (weights, _running(workload), memory), x, y, update


def _sgd(weights: Any, g: Any, memory: Any, rate: float) -> Any:
    return jax.tree.map(lambda w, d: w - rate * d, weights, g), memory


def _adam(weights: Any, g: Any, memory: Any, rate: float) -> Any:
    # ε beside the corrected √v̂, as in PyTorch and Optax.
    m, v, t = memory
    t = t + 1
    m = jax.tree.map(lambda m, d: 0.9 * m + 0.1 * d, m, g)
    v = jax.tree.map(lambda v, d: 0.999 * v + 0.001 * d * d, v, g)
    scale, root = rate / (1 - 0.9**t), 1 / jnp.sqrt(1 - 0.999**t)
    weights = jax.tree.map(lambda w, m, v: w - scale * m / (jnp.sqrt(v) * root + 1e-8), weights, m, v)
    return weights, (m, v, t)


def _running(workload: Workload) -> _Arrays:
    """Running means and variances of every batch normalization."""
    running = {}
    for name, layer, shape in placed(workload.net, workload.data.shape):
        if isinstance(layer, BatchNorm):
            running[name] = (jnp.zeros(shape[-1]), jnp.ones(shape[-1]))
    return running


def _forward(workload: Workload, weights: _Arrays, running: _Arrays, a: Any) -> tuple[Any, _Arrays]:
    """Logits, and what the running statistics become."""
    after = dict(running)
    for name, layer, _ in placed(workload.net, workload.data.shape):

        def own(parameter: str, name: str = name) -> Any:
            return weights[f"{name}.{parameter}"]

        match layer:
            case Activation(function):
                a = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[function](a)
            case Flatten():
                a = a.reshape(len(a), -1)
            case Dense():
                a = a @ own("weight") + own("bias")
            case Conv(padding=padding, bias=bias):
                a = lax.conv_general_dilated(
                    a, own("weight"), (1, 1), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
                )
                a = a + own("bias") if bias else a
            case MaxPool():
                a = _max_pool(a)
            case GlobalAveragePool():
                a = a.mean((1, 2))
            case BatchNorm():
                a, after[name] = _batch_norm(a, own("gamma"), own("beta"), running[name])
            case Recurrent(cell):
                a = _scan(cell, a, own)
    return a, after


def _max_pool(a: Any) -> Any:
    n, h, w, c = a.shape
    return a.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))


def _batch_norm(a: Any, gamma: Any, beta: Any, running: tuple[Any, Any]) -> tuple[Any, tuple[Any, Any]]:
    count = np.prod(a.shape[:-1])
    mean = a.mean((0, 1, 2))
    # As the libraries on JAX have it: one pass over the activations for both.
    variance = (a * a).mean((0, 1, 2)) - mean * mean
    after = (0.9 * running[0] + 0.1 * mean, 0.9 * running[1] + 0.1 * variance * (count / (count - 1)))
    return (a - mean) * (lax.rsqrt(variance + 1e-5) * gamma) + beta, after


def _scan(cell: str, characters: Any, own: Callable[[str], Any]) -> Any:
    """States (time, batch, units) over characters (time, batch)."""
    recurrent, bias = own("recurrent_weight"), own("recurrent_bias")
    # The rows of the input weights that a product with one-hot vectors would pick.
    inputs = own("weight")[characters] + own("bias")
    first = jnp.zeros((characters.shape[1], len(recurrent)))

    def rnn(h: Any, p: Any) -> Any:
        h = jnp.tanh(p + h @ recurrent + bias)
        return h, h

    def lstm(state: Any, p: Any) -> Any:
        h, c = state
        i, f, g, o = jnp.split(p + h @ recurrent + bias, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    def gru(h: Any, p: Any) -> Any:
        r, z, n = jnp.split(p, 3, axis=-1)
        hr, hz, hn = jnp.split(h @ recurrent + bias, 3, axis=-1)
        r, z = jax.nn.sigmoid(r + hr), jax.nn.sigmoid(z + hz)
        h = (1 - z) * jnp.tanh(n + r * hn) + z * h
        return h, h

    step, state = {"rnn": (rnn, first), "lstm": (lstm, (first, first)), "gru": (gru, first)}[cell]
    return lax.scan(step, state, inputs)[1]
