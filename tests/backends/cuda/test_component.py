"""The backend `cuda` as specs name it: what this machine lacks, in a sentence; who takes its place; its two names."""

from __future__ import annotations

import ctypes
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from nnctl.backends.cuda import component, driver
from nnctl.backends.cuda.component import Cuda, CuPy
from nnctl.backends.cuda.driver import Driver
from nnctl.backends.registry import available, by_rank, choose_backend
from nnctl.backends.report import report
from nnctl.cli import main
from nnctl.components.backends import Auto
from nnctl.errors import DeviceError, UsageError
from nnctl.spec.catalogue import entry
from nnctl.spec.load import load_text

SPEC = "data: {type: xor}\nlayers: [{type: dense, units: 2, activation: softmax}]\ncost: log_likelihood\nbackend: "
NEWEST = Driver((13, 0), 1)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that gives this machine a driver and CuPy."""

    def give(
        found: Driver | None, *, cupy: bool = True, built: int = 13000, nvrtc: bool = True, broken: bool = False
    ) -> None:
        monkeypatch.setattr(component, "installed_driver", lambda: found)
        monkeypatch.setattr(component, "installed", lambda name: cupy)

        def version() -> tuple[int, int]:
            if not nvrtc:
                raise RuntimeError("libnvrtc.so.13 is not found")
            return (13, 0)

        cuda = SimpleNamespace(
            nvrtc=SimpleNamespace(getVersion=version), runtime=SimpleNamespace(runtimeGetVersion=lambda: built)
        )
        monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda))
        monkeypatch.setitem(sys.modules, "cupy.cuda", None if broken else cuda)

    return give


@pytest.mark.parametrize(
    ("found", "given", "words"),
    [
        (None, {}, "there is no NVIDIA driver on this machine"),
        (
            None,
            {"cupy": False},
            "there is no NVIDIA driver on this machine; where there is one, pip install 'nnctl[cuda13]' "
            "brings the rest",
        ),
        (Driver((13, 0), 0), {}, "the NVIDIA driver finds no GPU"),
        (Driver((13, 0), 0, "system not ready"), {}, "the NVIDIA driver does not start: system not ready"),
        (
            Driver((11, 8), 1),
            {},
            "the NVIDIA driver runs CUDA 11.8 at most, and 12.0 is needed: install a newer driver",
        ),
        (NEWEST, {"cupy": False}, "CuPy is not installed: pip install 'nnctl[cuda13]' brings it"),
        (Driver((12, 4), 1), {"cupy": False}, "CuPy is not installed: pip install 'nnctl[cuda12]' brings it"),
        (Driver((14, 1), 1), {"cupy": False}, "CuPy is not installed: pip install 'nnctl[cuda13]' brings it"),
        (
            Driver((12, 4), 1),
            {"built": 13000},
            "CuPy is for CUDA 13, and the NVIDIA driver runs 12.4 at most: pip uninstall cupy-cuda13x, then "
            "pip install 'nnctl[cuda12]', brings one that suits it",
        ),
        (
            NEWEST,
            {"nvrtc": False},
            "NVRTC, which compiles kernels, is not installed: pip install 'nnctl[cuda13]' brings it",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_is_said_with_the_command_that_helps(machine, found, given, words):
    machine(found, **given)
    assert Cuda().obstacle() == words
    with pytest.raises(UsageError) as raised:
        choose_backend(CuPy(), ())
    hint = "--backend auto takes the fastest that can, or name numpy"
    assert str(raised.value) == f"the cupy backend cannot run this net: {words}\n  {hint}"


def test_a_cupy_that_cannot_be_loaded_is_said(machine):
    machine(NEWEST, broken=True)
    assert str(Cuda().obstacle()).startswith("CuPy cannot be loaded (")


def test_a_device_that_there_is_not(machine):
    machine(Driver((13, 0), 2))
    assert Cuda(device=1).obstacle() is None
    assert Cuda(device=2).obstacle() == "there is no device 2: this machine has 2 GPUs, and they count from 0"
    machine(NEWEST)
    assert Cuda(device=1).obstacle() == "there is no device 1: this machine has 1 GPU, and they count from 0"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, False),
        (Driver((13, 0), 0), False),
        (Driver((13, 0), 0, "out of order"), True),
        (NEWEST, True),
    ],
)
def test_auto_says_why_it_passes_a_gpu_over_and_nothing_where_there_is_none(machine, found, said):
    machine(found, cupy=False)
    chosen = choose_backend(Auto(), ())
    assert chosen.backend.name == "cpu"
    assert chosen.reason.startswith("the fastest on this machine") != said
    if said:
        assert chosen.reason.endswith(f"; not cuda: {Cuda().obstacle()}")


def test_a_gpu_that_does_not_start_is_said_and_passed_over(machine, monkeypatch):
    machine(NEWEST)

    def busy(self, workers=None):
        raise DeviceError("device 0 is busy\n  nvidia-smi tells how it is")

    monkeypatch.setattr(Cuda, "open", busy)
    said = "device 0 is busy; nvidia-smi tells how it is"
    chosen = choose_backend(Auto(), ())
    assert chosen.backend.name == "cpu"
    assert chosen.reason.endswith(f"; not cuda: {said}")
    with pytest.raises(UsageError, match=f"the cuda backend cannot run this net: {said}\n"):
        choose_backend(Cuda(), ())
    assert [(row.value, row.words) for row in report() if row.what == "backend cuda"] == [("absent", said)]


def test_auto_takes_the_device_where_there_is_one(machine, monkeypatch):
    machine(Driver((13, 0), 2))
    opened = SimpleNamespace(
        name="cuda", takes_any_op=True, missing=lambda graph: (), resources=SimpleNamespace(words="one device")
    )
    asked = []
    monkeypatch.setattr(Cuda, "open", lambda self, workers=None: asked.append(self) or opened)
    assert choose_backend(Auto(), ()).reason == "the fastest on this machine, one device"
    # By whichever of its names, the spec's own fields go with it.
    for specified in (Cuda(device=1, precision="tf32"), CuPy(device=1, precision="tf32")):
        for name in (None, "cuda", "cupy", "auto"):
            asked.clear()
            choose_backend(specified, (), name=name)
            assert [(each.device, each.precision) for each in asked] == [(1, "tf32")], (specified, name)


def test_the_other_name_is_listed_once_alone(machine):
    machine(None)
    assert [cls.type for cls in by_rank()][:2] == ["cuda", "cpu"]
    assert "cupy" not in [cls.type for cls, _ in available()]
    named = [row.what for row in report() if row.what.startswith("backend ")]
    assert named == ["backend cuda", "backend cpu", "backend numpy"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("gpu", "did you mean 'cuda'?"),
        ("{type: cuda, device: -1}", "device"),
        ("{type: cuda, precision: fp16}", "float32"),
        ("{type: cupy, precision: float16}", "tf32"),
    ],
)
def test_specs_that_name_it_wrong(written, words):
    with pytest.raises(UsageError) as raised:
        load_text(SPEC + written)
    assert words in str(raised.value)


def test_the_command_line_ends_with_2(machine, tmp_path, capsys):
    machine(None)
    (tmp_path / "s.yaml").write_text(SPEC + "cuda")
    assert main(["train", str(tmp_path / "s.yaml"), "--out", str(tmp_path / "run")]) == 2
    assert "the cuda backend cannot run this net: there is no NVIDIA driver on this machine" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["cuda", "cupy"])
def test_explain_says_what_each_field_means(name):
    fields = {field.name: field.about for field in entry("backend", name).fields}
    assert list(fields) == ["device", "precision", "persistent"]
    assert all(fields.values())
    words = ("float32 not at all", "tf32 to 10 bits", "bf16 to 7", "sums, weights, state and recurrent products")
    assert all(word in fields["precision"] for word in words)


# -- the driver ------------------------------------------------------------------------------


def library(version: int, devices: int, start: int = 0, telling: int = 0) -> Any:
    """The functions of libcuda; `cuInit` gives the status `start`, `cuDriverGetVersion` the status `telling`."""

    def put(value: Any) -> Any:
        return lambda place: setattr(place._obj, "value", value) or 0

    words = put(b"system has unsupported display driver")
    return SimpleNamespace(
        cuDriverGetVersion=(lambda place: telling) if telling else put(version),
        cuInit=lambda flags: start,
        cuDeviceGetCount=put(devices),
        cuGetErrorString=lambda status, place: words(place),
    )


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (library(13010, 2), Driver((13, 1), 2)),
        (library(12040, 0, 100), Driver((12, 4), 0)),
        (library(12040, 0, 803), Driver((12, 4), 0, "system has unsupported display driver")),
        (
            library(0, 1, telling=34),
            Driver((0, 0), 0, "it does not tell its version: system has unsupported display driver"),
        ),
        (
            SimpleNamespace(cuInit=lambda flags: 0),
            Driver((0, 0), 0, "libcuda.so.1 has no cuDriverGetVersion, as that of a driver has"),
        ),
    ],
)
def test_the_driver_is_asked(monkeypatch, answers, found):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: answers)
    assert driver.installed_driver.__wrapped__() == found


def test_no_driver(monkeypatch):
    def absent(name: str) -> Any:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", absent)
    assert driver.installed_driver.__wrapped__() is None


def test_a_backend_that_there_is_not_has_a_likely_name():
    with pytest.raises(UsageError, match=r"there is no backend 'gpu': choose .*\n  did you mean 'cuda'\?"):
        choose_backend(Auto(), (), name="gpu")
