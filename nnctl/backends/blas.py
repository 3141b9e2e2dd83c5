"""The BLAS libraries that NumPy and SciPy bring, and how many threads they may use by themselves."""

from __future__ import annotations


def limit_blas_threads(threads: int = 1) -> None:
    """Set how many threads the BLAS libraries loaded so far use by themselves.

    One: OpenBLAS's own threads spin while they wait, and results change with their
    number, which no checkpoint knows. A backend divides its work itself.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads, user_api="blas")
