"""The contestants: each trains a workload for a number of steps and returns when they are done.

A contestant is a function `prepare(workload) -> run`, and `run(steps)` runs
that many training steps. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.workloads import CLASSES, EXAMPLES, Workload, floats, images, orders

Run = Callable[[int], None]


def nnctl(workload: Workload, threads: int) -> Run:
    """This project: the compiled step, costs and accuracy of each batch included."""
    from nnctl.spec.load import load_text
    from nnctl.training.engine import Engine

    layers = "".join(f"  - {{type: dense, units: {u}, activation: {workload.activation}}}\n" for u in workload.hidden)
    text = (
        f"data: {{type: mnist}}\nlayers:\n  - flatten\n{layers}"
        f"  - {{type: dense, units: {CLASSES}, activation: softmax}}\ncost: log_likelihood\n"
        f"optimizer: {{type: {workload.optimizer}, learning_rate: {workload.learning_rate}}}\n"
        f"schedule: {{batch_size: {workload.batch}}}\nbackend: {{type: cpu, threads: {threads}}}\n"
    )
    loaded = load_text(text)
    engine = Engine(loaded.spec, loaded.spec.data.signature(loaded.folder), seed=0, examples=EXAMPLES)
    engine.normalize(np.zeros((), np.float32), np.full((), 1 / 255, np.float32))
    engine.bind("train", *images())

    def run(steps: int) -> None:
        rate = np.full(steps, workload.learning_rate)
        engine.train(orders(workload, steps), {"learning_rate": rate, "momentum": np.zeros(steps)}, 0)

    return run


def torch_eager(workload: Workload, threads: int) -> Run:
    """PyTorch as people write it."""
    return _torch(workload, threads, compiled=False)


def torch_compile(workload: Workload, threads: int) -> Run:
    """PyTorch with `torch.compile` around forward and cost."""
    return _torch(workload, threads, compiled=True)


def _torch(workload: Workload, threads: int, *, compiled: bool) -> Run:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    activation = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[workload.activation]
    parts: list[Any] = []
    for a, b in zip(workload.widths, workload.widths[1:]):
        parts += [nn.Linear(a, b), activation()]
    net = nn.Sequential(*parts[:-1])
    rule = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[workload.optimizer]
    optimizer = rule(net.parameters(), lr=workload.learning_rate)
    pixels, labels = images()
    x, y = torch.from_numpy(floats(pixels)), torch.from_numpy(labels)
    cost_function = nn.CrossEntropyLoss()

    def cost_of(xs: Any, ys: Any) -> Any:
        return cost_function(net(xs), ys)

    measured = torch.compile(cost_of) if compiled else cost_of

    def run(steps: int) -> None:
        for rows in torch.from_numpy(orders(workload, steps)):
            optimizer.zero_grad(set_to_none=True)
            measured(x[rows], y[rows]).backward()
            optimizer.step()

    return run


def _jax_step(workload: Workload) -> tuple[Any, Any, Any, Any]:
    """(first state, x, y, update) of a net in plain JAX."""
    import jax
    import jax.numpy as jnp

    keys = jax.random.split(jax.random.key(0), len(workload.widths))
    weights = [
        (jax.random.uniform(k, (a, b), minval=-1, maxval=1) / np.sqrt(a), jnp.zeros(b))
        for k, a, b in zip(keys, workload.widths, workload.widths[1:])
    ]
    activation = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[workload.activation]
    pixels, labels = images()
    x, y = jnp.asarray(floats(pixels)), jnp.asarray(labels)
    rate = workload.learning_rate

    def cost(weights: Any, xs: Any, ys: Any) -> Any:
        a = xs
        for w, b in weights[:-1]:
            a = activation(a @ w + b)
        w, b = weights[-1]
        logits = jax.nn.log_softmax(a @ w + b)
        return -jnp.mean(jnp.take_along_axis(logits, ys[:, None], axis=1))

    def update(state: Any, x: Any, y: Any, rows: Any) -> tuple[Any, Any]:
        weights, m, v, t = state
        value, g = jax.value_and_grad(cost)(weights, x[rows], y[rows])
        if workload.optimizer == "sgd":
            return (jax.tree.map(lambda w, d: w - rate * d, weights, g), m, v, t), value
        t = t + 1
        m = jax.tree.map(lambda m, d: 0.9 * m + 0.1 * d, m, g)
        v = jax.tree.map(lambda v, d: 0.999 * v + 0.001 * d * d, v, g)
        scale = rate * jnp.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        weights = jax.tree.map(lambda w, m, v: w - scale * m / (jnp.sqrt(v) + 1e-8), weights, m, v)
        return (weights, m, v, t), value

    def zeros() -> Any:
        return jax.tree.map(jnp.zeros_like, weights) if workload.optimizer == "adam" else None

    return (weights, zeros(), zeros(), jnp.zeros(())), x, y, update


def jax_jit(workload: Workload, threads: int) -> Run:
    """JAX, the step under `jit`, a Python loop over steps."""
    import jax

    state, x, y, update = _jax_step(workload)
    step = jax.jit(update, donate_argnums=0)
    held = [state]

    def run(steps: int) -> None:
        for rows in orders(workload, steps):
            held[0], value = step(held[0], x, y, rows)
        value.block_until_ready()

    return run


def jax_scan(workload: Workload, threads: int) -> Run:
    """JAX, all steps in one `lax.scan` under `jit`."""
    import jax

    state, x, y, update = _jax_step(workload)

    @jax.jit
    def epoch(state: Any, x: Any, y: Any, order: Any) -> Any:
        return jax.lax.scan(lambda s, rows: update(s, x, y, rows), state, order)

    held = [state]

    def run(steps: int) -> None:
        held[0], values = epoch(held[0], x, y, orders(workload, steps))
        values.block_until_ready()

    # A scan is compiled for its length: always the same one.
    run.fixed_length = True  # type: ignore[attr-defined]
    return run


def scikit_learn(workload: Workload, threads: int) -> Run:
    """scikit-learn's MLPClassifier; its steps are those of one pass over as many examples."""
    from sklearn.neural_network import MLPClassifier

    pixels, labels = images()
    x = floats(pixels)
    net = MLPClassifier(
        workload.hidden, activation={"relu": "relu", "sigmoid": "logistic"}[workload.activation],
        solver=workload.optimizer, alpha=0.0, batch_size=workload.batch, learning_rate_init=workload.learning_rate,
        momentum=0.0, nesterovs_momentum=False,
    )  # fmt: skip
    net.partial_fit(x[: workload.batch * 2], labels[: workload.batch * 2], classes=np.arange(CLASSES))

    def run(steps: int) -> None:
        left = steps
        whole = EXAMPLES // workload.batch
        while left > 0:
            now = min(left, whole)
            net.partial_fit(x[: now * workload.batch], labels[: now * workload.batch])
            left -= now

    return run


CONTESTANTS: dict[str, Callable[[Workload, int], Run]] = {
    "nnctl": nnctl,
    "torch eager": torch_eager,
    "torch.compile": torch_compile,
    "JAX jit": jax_jit,
    "JAX scan": jax_scan,
    "scikit-learn": scikit_learn,
}
MODULES = {"torch eager": "torch", "torch.compile": "torch", "JAX jit": "jax", "JAX scan": "jax",
           "scikit-learn": "sklearn", "nnctl": "nnctl"}  # fmt: skip
