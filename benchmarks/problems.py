"""Problems of the suite `search`: small nets of different kinds with settings to search, a trial in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A spec with its space, searched for the lowest cost on validation."""

    name: str
    spec: str


PROBLEMS = (
    Problem(
        "digits, dense",
        """
data: {type: digits, validation: 400, test: 997}
layers:
  - flatten
  - {type: dense, units: 32, activation: relu}
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1, momentum: 0.9}
regularizer: {type: l2, strength: 0.01}
schedule: {epochs: 6, batch_size: 20}
sweep:
  space:
    optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1.0}
    optimizer.momentum: {type: uniform, low: 0.0, high: 0.99}
    layers.1.units: {type: integer, low: 4, high: 128, log: true}
    regularizer.strength: {type: log_uniform, low: 1e-5, high: 10.0}
""",
    ),
    Problem(
        "moons, depth",
        """
data: {type: moons, examples: 400, noise: 0.15, validation: 200}
layers:
  - {type: dense, units: 16, activation: tanh}
  - {type: dense, units: 16, activation: tanh}
  - {type: dense, units: 16, activation: tanh}
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
optimizer: {type: adam, learning_rate: 0.01}
schedule: {epochs: 10, batch_size: 20}
sweep:
  space:
    depth: {type: integer, low: 1, high: 3}
    layers.0.units: {type: integer, low: 4, high: 64, log: true}
    layers.1.units: {type: integer, low: 4, high: 64, log: true}
    layers.2.units: {type: integer, low: 4, high: 64, log: true}
    optimizer.learning_rate: {type: log_uniform, low: 1e-4, high: 1.0}
    schedule.batch_size: {type: integer, low: 10, high: 100, log: true}
  only:
    layers.1: depth >= 2
    layers.2: depth >= 3
""",
    ),
    Problem(
        "sine, optimizers",
        """
data: {type: sine, examples: 300, noise: 0.02, validation: 100}
layers:
  - {type: dense, units: 16, activation: tanh}
  - {type: dense, units: 16, activation: tanh}
  - {type: dense, units: 1}
cost: mse
optimizer: {type: adam, learning_rate: 0.01}
schedule: {epochs: 20, batch_size: 10}
sweep:
  space:
    layers.0.units: {type: integer, low: 4, high: 64, log: true}
    layers.1.units: {type: integer, low: 4, high: 64, log: true}
    layers.0.activation: {type: choice, values: [tanh, sigmoid, relu, gelu]}
    optimizer: {type: choice, values: [{type: sgd, momentum: 0.9}, {type: adam}]}
    optimizer.momentum: {type: uniform, low: 0.0, high: 0.99}
    optimizer.learning_rate: {type: log_uniform, low: 1e-5, high: 1.0}
  only:
    optimizer.momentum: optimizer.type == 'sgd'
""",
    ),
    Problem(
        "digits, convolution",
        """
data: {type: digits, validation: 300, test: 1197}
layers:
  - {type: conv2d, filters: 8, kernel: 3, padding: same, activation: relu}
  - {type: max_pool, size: 2}
  - flatten
  - {type: dropout, rate: 0.2}
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
optimizer: {type: adamw, learning_rate: 0.01, weight_decay: 0.01}
schedule: {epochs: 6, batch_size: 20}
sweep:
  space:
    layers.0.filters: {type: integer, low: 2, high: 16, log: true}
    layers.0.kernel: {type: integer, low: 1, high: 5}
    layers.3.rate: {type: uniform, low: 0.0, high: 0.8}
    optimizer.learning_rate: {type: log_uniform, low: 1e-5, high: 1.0}
    optimizer.weight_decay: {type: log_uniform, low: 1e-5, high: 1.0}
    schedule.batch_size: {type: integer, low: 10, high: 100, log: true}
""",
    ),
    Problem(
        "waves, recurrent",
        """
data: {type: sine_sequence, examples: 200, length: 20, noise: 0.02, validation: 60}
layers:
  - {type: rnn, units: 16, return_sequence: true}
  - {type: dense, units: 1}
cost: mse
optimizer: {type: adam, learning_rate: 0.01, clip: {type: global_norm, limit: 1.0}}
schedule: {epochs: 6, batch_size: 20}
sweep:
  space:
    layers.0: {type: choice, values: [{type: rnn, return_sequence: true}, {type: gru, return_sequence: true}]}
    layers.0.units: {type: integer, low: 2, high: 32, log: true}
    optimizer.learning_rate: {type: log_uniform, low: 1e-5, high: 1.0}
    optimizer.clip.limit: {type: log_uniform, low: 1e-3, high: 10.0}
    schedule.batch_size: {type: integer, low: 10, high: 70, log: true}
""",
    ),
)
"""In each, few of the settings matter much, and those on a logarithmic scale, as is usual."""
