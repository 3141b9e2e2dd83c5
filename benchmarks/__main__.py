"""`python -m benchmarks SUITE`: figures of a suite, printed and kept under `benchmarks/results/`."""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module

from benchmarks.instructions import LIMITS, VARIABLE, limit_everyone

SUITES = {
    "cpu": ("benchmarks.cpu", "training steps on the processor, beside the peers that are installed"),
    "starts": ("benchmarks.starts", "first starts of nets, and later ones, as a user waits for them"),
    "commands": ("benchmarks.commands", "whole commands, start-up included, beside scripts in other libraries"),
    "sweeps": ("benchmarks.sweeps", "what sweeps cost beside the steps of their trials, and thousands of trials"),
    "together": ("benchmarks.together", "64 trials of a small net, a process each and several in one process"),
    "neighbours": ("benchmarks.neighbours", "training steps beside busy processes on the same cores"),
    "augmented": ("benchmarks.augmented", "epochs with augmentations, beside epochs without"),
    "launches": ("benchmarks.launches", "what takes long in these steps, and how near it is to its limit"),
    "search": ("benchmarks.search", "the best validation that samplers find, beside random search and Optuna alone"),
    "machines": (
        "benchmarks.machines",
        "what cpu and gpu have kept of all machines, side by side; nothing is measured",
    ),
    "gpu": ("benchmarks.gpu.suite", "every kernel and every spec judged on a GPU, then training steps timed there"),
    "reading": ("benchmarks.files.reading", "tables read, beside the libraries that people read them with"),
    "predicting": ("benchmarks.files.predicting", "predictions for a million rows, and for one"),
    "people": ("benchmarks.files.people", "init, train and predict in three lines, beside scikit-learn's pipeline"),
    "large": ("benchmarks.files.large", "a table and pictures larger than memory, trained from disk"),
}
"""The module of each suite, whose `main` takes the rest of the command line, and what it measures."""


def main() -> None:
    """Run the suite that the command line names."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in SUITES:
        lines = [f"  {suite:11} {what}" for suite, (_, what) in SUITES.items()]
        usage = f"usage: python -m benchmarks SUITE [--instructions {'|'.join(LIMITS)}] [--help]"
        raise SystemExit("\n".join([usage, "", *lines, "", "--instructions limits everyone to older instructions."]))
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--instructions", choices=tuple(LIMITS))
    options, rest = parser.parse_known_args(sys.argv[2:])
    if options.instructions:
        os.environ[VARIABLE] = options.instructions
    limit_everyone()
    import_module(SUITES[name][0]).main(rest)


if __name__ == "__main__":
    main()
