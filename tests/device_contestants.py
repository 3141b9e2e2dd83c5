"""Contestants for the GPU suite's processes that need no GPU, each with a fault of its own."""

from __future__ import annotations

import math
import os
import sys
import time

from benchmarks.trainer import DeviceTrainer
from benchmarks.workloads import Workload


def open_device() -> None:
    print("opened")


def good(workload: Workload, precision: str) -> DeviceTrainer:
    return DeviceTrainer(lambda order: [2.3] * len(order), lambda steps: 0.003 * steps, way=lambda: "captured")


def by_the_clock(workload: Workload, precision: str) -> DeviceTrainer:
    return DeviceTrainer(lambda order: [2.3] * len(order), lambda steps: 0.001 * steps, steps=8, events=False)


def other_work(workload: Workload, precision: str) -> DeviceTrainer:
    return DeviceTrainer(lambda order: [2.4] * len(order), lambda steps: 0.001 * steps)


def not_finite(workload: Workload, precision: str) -> DeviceTrainer:
    return DeviceTrainer(lambda order: [math.nan] * len(order), lambda steps: 0.001 * steps)


def raising(workload: Workload, precision: str) -> DeviceTrainer:
    raise RuntimeError("no such device")


def dying(workload: Workload, precision: str) -> DeviceTrainer:
    """It prepares, and ends while it is timed."""

    def seconds(steps: int) -> float:
        print("an assertion of a kernel", file=sys.stderr, flush=True)
        os._exit(7)

    return DeviceTrainer(lambda order: [2.3] * len(order), seconds)


def hanging(workload: Workload, precision: str) -> DeviceTrainer:
    time.sleep(600.0)
    raise AssertionError
