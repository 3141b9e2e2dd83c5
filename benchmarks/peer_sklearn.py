"""scikit-learn's MLPClassifier; its steps are those of one pass over as many examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier

from benchmarks.data import Images
from benchmarks.nets import Activation, Dense, placed
from benchmarks.trainer import Trainer
from benchmarks.workloads import Workload


def scikit_learn(workload: Workload, threads: int) -> Trainer:
    """Dense nets alone."""
    activations = {layer.function for layer in workload.net if isinstance(layer, Activation)}
    hidden = [layer.units for layer in workload.net if isinstance(layer, Dense)][:-1]
    data = workload.data
    assert isinstance(data, Images)
    images, labels = data.floats()
    x = images.reshape(len(images), -1)
    net = MLPClassifier(
        hidden, activation={"relu": "relu", "sigmoid": "logistic"}[activations.pop()],
        solver=workload.optimizer, alpha=0.0, batch_size=workload.batch, learning_rate_init=workload.learning_rate,
        momentum=0.0, nesterovs_momentum=False,
    )  # fmt: skip
    net.partial_fit(x[: workload.batch], labels[: workload.batch], classes=np.arange(data.classes))
    weights = workload.weights()
    names = [name for name, layer, _ in placed(workload.net, data.shape) if isinstance(layer, Dense)]
    for name, coefficients, intercepts in zip(names, net.coefs_, net.intercepts_, strict=True):
        coefficients[:] = weights[f"{name}.weight"]
        intercepts[:] = weights[f"{name}.bias"]
    # Weights exist only after a first step; the optimizer is made again with the next, and forgets that one.
    del net._optimizer

    def step(rows: NDArray[Any]) -> float:
        net.partial_fit(x[rows], labels[rows])
        return float(net.loss_)

    def run(steps: int) -> None:
        left = steps
        full = len(x) // workload.batch
        while left > 0:
            now = min(left, full)
            net.partial_fit(x[: now * workload.batch], labels[: now * workload.batch])
            left -= now

    # Its Adam adds ε to √v without the correction (Kingma and Ba 2015, end of section 2).
    return Trainer(step, run, comparable=1 if workload.optimizer == "adam" else 3)
