"""BLAS computes with one thread under every backend, so that no result depends on how many the machine has."""

from __future__ import annotations

import threadpoolctl


def test_a_backend_leaves_blas_one_thread(backend):
    threadpoolctl.threadpool_limits(2, user_api="blas")
    type(backend)()
    libraries = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    assert libraries
    assert {info["num_threads"] for info in libraries} == {1}


def test_a_backend_says_how_many_threads_it_has(backend):
    assert backend.resources.workers >= 1
