"""BLAS computes with one thread under every backend, so that no result depends on how many the machine has."""

from __future__ import annotations

import threadpoolctl

from nnctl.backends.registry import by_rank


def test_a_backend_leaves_blas_one_thread(backend):
    threadpoolctl.threadpool_limits(2, user_api="blas")
    (opened,) = (cls().open() for cls in by_rank() if cls.type == backend.name)
    assert opened.name == backend.name
    libraries = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "blas"]
    assert libraries
    assert {info["num_threads"] for info in libraries} == {1}
