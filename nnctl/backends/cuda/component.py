"""The CUDA backend, as specs name it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from nnctl.backends.cuda.driver import Driver, installed_driver
from nnctl.backends.installed import installed
from nnctl.components.base import BackendComponent
from nnctl.components.fields import NonNegativeInt
from nnctl.components.registry import register
from nnctl.process.cores import cores

_OLDEST = 12
"""The major version of CUDA that a driver must run at least."""
_NEWEST = 13
"""The major version of the newest wheels."""
_STREAMS = 32
"""Queues of work that a device has: streams beyond so many wait for one another."""

_CORES = 4
"""Cores of the host for each process that trains several trials. On 16 cores and an H100 32 trials of 784-30-10 at a
time were 3.1 a second in one process, 6.9 in four."""


@register("backend", "cuda")
class Cuda(BackendComponent):
    """Each step captured into a graph of kernels on an NVIDIA GPU.

    precision: the factors of matrix products and convolutions are rounded before they are multiplied. float32: not at
    all, which is true float32, with no TF32 in it. tf32: to 10 bits of the mantissa, of float32's 23; bf16: to 7.
    Whatever it is, weights, state, sums and all between products stay float32. So do the products of a recurrent
    layer's state, convolutions of few channels a group, and products too small for tensor cores to have much to do.

    persistent: one kernel that runs a whole chunk of training steps, in place of a launch for each piece of a step.
    Left out, it is taken where a trial on a long chunk of a small net finds it faster, and where results are equal to
    the bit: they are unless cuBLAS makes one of the net's products.
    """

    example = "{type: cuda, device: 1, precision: tf32}"

    rank = 20
    shares = True
    libraries = (
        "cupy",
        "cupy-cuda13x",
        "cupy-cuda12x",
        "nvidia-cuda-nvrtc",
        "nvidia-cuda-nvrtc-cu12",
        "nvidia-cublas",
        "nvidia-cublas-cu12",
    )
    device: Annotated[NonNegativeInt, "the number of the GPU, from 0"] = 0
    precision: Annotated[
        Literal["float32", "tf32", "bf16"],
        "what factors of products are rounded to: float32 not at all, tf32 to 10 bits of the mantissa, bf16 to 7; "
        "sums, weights, state and recurrent products are float32 in each",
    ] = "float32"
    persistent: Annotated[
        bool | None, "whether one kernel runs a chunk of training steps; null: where a trial finds it faster"
    ] = None

    def obstacle(self) -> str | None:
        """See `BackendComponent`."""
        driver = installed_driver()
        if driver is None:
            rest = "" if installed("cupy") else f"; where there is one, {_install(None)} brings the rest"
            return f"there is no NVIDIA driver on this machine{rest}"
        if driver.problem:
            return f"the NVIDIA driver does not start: {driver.problem}"
        if not driver.devices:
            return "the NVIDIA driver finds no GPU"
        if self.device >= driver.devices:
            there_are = "1 GPU" if driver.devices == 1 else f"{driver.devices} GPUs"
            return f"there is no device {self.device}: this machine has {there_are}, and they count from 0"
        if driver.version[0] < _OLDEST:
            runs = ".".join(map(str, driver.version))
            return f"the NVIDIA driver runs CUDA {runs} at most, and {_OLDEST}.0 is needed: install a newer driver"
        return _missing(driver)

    def suits_machine(self) -> bool:
        """See `BackendComponent`: there is a GPU, or a driver that should know one."""
        driver = installed_driver()
        return driver is not None and (driver.devices > 0 or bool(driver.problem))

    def open(self, workers: int | None = None) -> Any:
        """See `BackendComponent`."""
        from nnctl.backends.cuda.backend import CudaBackend
        from nnctl.backends.cuda.cupy_device import lent_device

        return lent_device(self.device, lambda device: CudaBackend(device, self.precision, self.persistent))

    def together(self, jobs: int) -> int:
        """See `BackendComponent`: processes take turns on a device, streams of one share it; each trial has its own.

        But a process is one thread of Python, which has much to do for small nets: there are as many as cores allow.
        """
        processes = max(1, cores() // _CORES)
        return min(-(-jobs // processes), _STREAMS)

    def planner(self) -> Any:
        """See `BackendComponent`: without a device, and therefore without its product library."""
        from nnctl.backends.cuda.planner import CudaPlanner

        return CudaPlanner(self.precision)


@register("backend", "cupy")
class CuPy(Cuda):
    """The backend `cuda` by the name of the library that it stands on, with the same fields."""

    example = "{type: cupy, device: 1}"

    same_as = "cuda"


def _missing(driver: Driver) -> str | None:
    """The reason why the libraries cannot be used with a driver; None if they can."""
    if not installed("cupy"):
        return f"CuPy is not installed: {_install(driver)} brings it"
    try:
        from cupy.cuda import nvrtc, runtime
    except ImportError as error:
        return f"CuPy cannot be loaded ({error}): {_install(driver)} brings one that can"
    major = int(runtime.runtimeGetVersion()) // 1000
    if major > driver.version[0]:
        return (
            f"CuPy is for CUDA {major}, and the NVIDIA driver runs {driver.version[0]}.{driver.version[1]} at most: "
            f"pip uninstall cupy-cuda{major}x, then {_install(driver)}, brings one that suits it"
        )
    try:
        nvrtc.getVersion()
    except RuntimeError:
        return f"NVRTC, which compiles kernels, is not installed: {_install(driver)} brings it"
    return None


def _install(driver: Driver | None) -> str:
    """The command that installs everything for a driver; the newest if None."""
    version = _NEWEST if driver is None else min(_NEWEST, driver.version[0])
    return f"pip install 'nnctl[cuda{version}]'"
