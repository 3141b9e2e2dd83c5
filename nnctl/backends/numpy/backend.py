"""The reference interpreter: each launch runs its op's reference body."""

from __future__ import annotations

from nnctl.backends.launch_by_launch import LaunchByLaunchBackend
from nnctl.backends.numpy.kernels import KERNELS


class NumpyBackend(LaunchByLaunchBackend):
    """Storage is NumPy arrays in memory; plans may be loaded over any such arrays, which they change in place."""

    name = "numpy"
    kernels = KERNELS
