"""Constants of a plan: the values that it computes once, before its first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from numpy.typing import NDArray

from nnctl.backends.launch_by_launch import LaunchByLaunch, LaunchByLaunchBackend
from nnctl.plan.plan import Plan


def constants_of(
    plan: Plan, storage: Mapping[str, Any], to_host: Callable[[Any], NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The values that a plan computes once, by key, made on the host by reference bodies.

    to_host: of the backend on which `storage` lies; it copies what the plan's setup reads, and nothing else.
    """
    setup = replace(plan, launches=(), outputs={}, guard=None, guarded=0, copies=())
    read = {slot.key for launch in plan.setup for slot in launch.inputs if slot.place == "storage"}
    return LaunchByLaunch(setup, {key: to_host(storage[key]) for key in read}, _host()).constants


@cache
def _host() -> LaunchByLaunchBackend:
    return LaunchByLaunchBackend()
