"""BLAS computes with one thread under every backend, so that no result depends on how many the machine has."""

from __future__ import annotations

import os
import subprocess
import sys

import threadpoolctl

from nnctl.backends.registry import by_rank


def test_a_backend_leaves_blas_one_thread(backend):
    threadpoolctl.threadpool_limits(2, user_api="blas")
    (opened,) = (cls().open() for cls in by_rank() if cls.type == backend.name)
    assert opened.name == backend.name
    libraries = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    assert libraries
    assert {info["num_threads"] for info in libraries} == {1}


LOADED_LATER = """
from threadpoolctl import threadpool_info
import numpy
from nnctl.backends.blas import limit_blas_threads
limit_blas_threads()
limit_blas_threads()
few = len(threadpool_info())
import scipy.linalg
assert len(threadpool_info()) > few
limit_blas_threads()
print({each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"})
"""


def test_a_library_that_is_loaded_later_is_limited_by_the_next():
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "2"}
    command = [sys.executable, "-c", LOADED_LATER]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.stdout == "{1}\n", done.stderr
