"""Runs trained for a moment, of which pictures are drawn."""

from __future__ import annotations

from pathlib import Path

from nnctl.data.dataset import Dataset
from nnctl.inference.evaluation import data_of
from nnctl.inference.opened import TrainedRun, open_run
from nnctl.reporting.follow import RunSink, follow
from nnctl.spec.load import load_text
from nnctl.training import session

MOONS = """
data: {type: moons, examples: 80, validation: 20, test: 20}
layers:
  - {type: dense, units: 6, activation: tanh}
  - batch_norm
  - {type: dense, units: 2, activation: softmax}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.5}
schedule: {epochs: 3}
"""
ONE_UNIT = """
data: {type: moons, examples: 60, test: 20}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1, activation: sigmoid}]
cost: cross_entropy
optimizer: {type: sgd, learning_rate: 1.0}
schedule: {epochs: 3}
"""
DIGITS = """
data: {type: digits, subset: 60, validation: 10, test: 10}
layers:
  - {type: conv2d, filters: 5, kernel: 3, activation: relu}
  - {type: max_pool, size: 2}
  - {type: conv2d, filters: 4, kernel: 2, activation: tanh}
  - flatten
  - {type: dense, units: 40, activation: tanh}
  - {type: dense, units: 10, activation: softmax}
cost: log_likelihood
optimizer: {type: sgd, learning_rate: 0.1}
schedule: {epochs: 1}
"""
DENSE_DIGITS = """
data:
  type: digits
  subset: 60
  augment: [{type: rotate, degrees: 20}, {type: noise, std: 0.1}]
layers: [flatten, {type: dense, units: 70, activation: relu}, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
"""
SEQUENCES = """
data: {type: digits, subset: 60}
layers: [{type: reshape, shape: [8, 8]}, {type: gru, units: 5}, {type: dense, units: 10, activation: softmax}]
cost: log_likelihood
schedule: {epochs: 1}
"""
VALUES = """
data: {type: sine, examples: 40, test: 10}
layers: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]
cost: mse
schedule: {epochs: 1}
"""


def trained(text: str, out: Path) -> tuple[TrainedRun, Dataset]:
    """A run of a spec, trained into a folder, and its data."""
    follow(session.train(load_text(text, "s.yaml", ("backend=numpy",)), out=out), [RunSink()])
    run = open_run(out)
    return run, data_of(run)
