"""What holds for every test: compiled code is kept beside pytest's own cache, and not in the user's."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.cache is not None:
        os.environ.setdefault("NNCTL_CACHE", str(config.cache.mkdir("nnctl")))
