"""The backends under test: a new one joins the list, and every contract test runs on it."""

from __future__ import annotations

import pytest

from nnctl.backends.numpy import NumpyBackend

BACKENDS = (NumpyBackend,)


@pytest.fixture(params=BACKENDS, ids=lambda backend: backend.name)
def backend(request: pytest.FixtureRequest):
    return request.param()
