"""What holds for every test: where compiled code is kept, who may compile, who needs a device."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from compiler_guard import compiler_refusal
from devices import cuda_devices
from hypothesis import HealthCheck, settings

GUARD = Path(__file__).parent / "compiler_guard"

COMPILING = ("auto", "cpu")
"""Values of the parameter `backend` that name, or begin with the name of, what compiles."""

LOGGER = logging.getLogger("nnctl")
"""The parent of each module's logger, whose level and handler a command sets."""

compiler_refusal.install()
# How long an example takes to make or to run says how busy the machine is, not whether the test is right.
settings.register_profile("nnctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("nnctl")


def pytest_configure(config: pytest.Config) -> None:
    # Under nohup SIGHUP is ignored, behind a shell's & SIGINT, and what is ignored at the start stays so: in tests of
    # signals they must act.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Beside pytest's own cache, not in the user's.
    if (cache := getattr(config, "cache", None)) is not None:  # there is none with -p no:cacheprovider
        os.environ.setdefault("NNCTL_CACHE", str(cache.mkdir("nnctl")))
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if str(GUARD) not in given:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(GUARD), *given])


def pytest_itemcollected(item: pytest.Item) -> None:
    """Of a test for several backends, the parameter says whether it compiles."""
    if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
        backend = item.callspec.params.get("backend")
        if isinstance(backend, str) and backend.startswith(COMPILING):
            item.add_marker("compile")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Fixtures are made under their first test's markers; what a command does to the log ends with its test."""
    os.environ[compiler_refusal.VARIABLE] = "" if item.get_closest_marker("compile") else item.nodeid
    level, handlers = LOGGER.level, list(LOGGER.handlers)
    try:
        return (yield)
    finally:
        LOGGER.setLevel(level)
        LOGGER.handlers[:] = handlers
        del os.environ[compiler_refusal.VARIABLE]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not cuda_devices():
        pytest.skip("there is no CUDA device on this machine")
