"""Variables of the environment that libraries read, set for a while."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

NO_PLUGINS = {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
"""Pydantic's checks as it makes them alone: to look for plugins it reads the files of every package installed."""
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
"""Variables by which libraries are told how many threads to compute with, as they load."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Processes started within the block compute with one thread each."""
    with variables(dict.fromkeys(THREADS, "1")):
        yield


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """A block in which variables have these values; after it, those from before, or none."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
