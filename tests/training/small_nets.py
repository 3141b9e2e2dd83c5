"""A small net with what a run has to carry: random layers, rows between epochs, rates and stops that hang on rows."""

from __future__ import annotations

NET = """
name: small
data: {type: blobs, examples: 84, validation: 12, test: 12}
layers:
  - {type: dense, units: 5, activation: relu}
  - {type: dropout, rate: 0.2}
  - {type: dense, units: 3, activation: softmax}
cost: log_likelihood
"""
"""Data, layers and cost."""


def with_plateau(epochs: int) -> str:
    """The net with Adam, whose rate falls on a plateau, and with a row every 25 examples, on the reference backend."""
    return f"""{NET}
optimizer: {{type: adam, learning_rate: 0.05}}
schedule:
  epochs: {epochs}
  batch_size: 16
  evaluate_every: 25
  learning_rate: {{type: plateau, patience: 1, factor: 0.5}}
  early_stopping: {{monitor: validation_accuracy, patience: 30}}
backend: numpy
"""
