"""Databases of Optuna: how long a server may take to answer, and the words where its driver is missing."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from sqlalchemy.engine import make_url

from nnctl.errors import UsageError
from nnctl.sweep.optuna_storage import _PACKAGES, _with_patience, opened


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:secret@host/x", "10"),
        ("postgresql+psycopg://host/x?sslmode=require", "10"),
        ("postgresql://host/x?connect_timeout=60", "60"),
        ("mysql+pymysql://host/x", "10"),
        ("postgresql+pg8000://host/x", None),
        ("sqlite:///study.db", None),
    ],
)
def test_a_server_that_does_not_answer_is_not_waited_for_by_the_minute(url: str, expected: str | None) -> None:
    given = make_url(url)
    timed = _with_patience(given)
    assert timed.query.get("connect_timeout") == expected
    assert timed.set(query=given.query) == given
    assert set(given.query) <= set(timed.query)


@pytest.mark.parametrize(
    ("url", "module"),
    [
        ("postgresql+psycopg2://host/x", "psycopg2"),
        ("postgresql+psycopg://host/x", "psycopg"),
        ("mysql://host/x", "MySQLdb"),
    ],
)
def test_a_driver_that_is_missing_is_named_by_what_is_installed(url: str, module: str) -> None:
    if find_spec(module):
        pytest.skip("it is installed here")
    with (
        pytest.raises(UsageError, match=f"needs the package {module}, which is not installed") as told,
        opened(url, "--export", new=True),
    ):
        raise AssertionError
    assert str(told.value).endswith(f"\n  pip install {_PACKAGES[module]}")
