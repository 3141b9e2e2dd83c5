"""The engine is tested on the backends that the contract is tested on, each in one of its ways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from backends.conftest import BACKENDS, under_test

from nnctl.backends.contract import Backend


@pytest.fixture(params=[name for name in BACKENDS if name != "cuda, persistent"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    yield from under_test(request.param)
