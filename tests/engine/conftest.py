"""The backends that engines are tested on, by the names that specs have for them."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["numpy", "cpu"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name
