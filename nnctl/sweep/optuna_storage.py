"""Storages of Optuna, as SQLAlchemy addresses them, opened with errors in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nnctl.errors import UsageError
from nnctl.sweep.optuna_terms import quiet

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import URL

_FORMS = "a file as study.db, sqlite:///study.db, or postgresql://user:password@host/database"


_PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "'psycopg[binary]'", "MySQLdb": "mysqlclient"}
"""Distributions by the module of a driver, where they are called otherwise, or would have to be compiled."""
_TIMED = ("psycopg2", "psycopg", "mysqldb", "pymysql")
"""Drivers that take `connect_timeout` in an address, and wait for minutes without."""
_ANSWER = 10
"""Seconds in which a server of theirs answers."""


def _with_patience(url: URL) -> URL:
    """The address with a limit to the time of connecting, unless it has its own, or its driver knows none."""
    if url.get_driver_name() not in _TIMED or "connect_timeout" in url.query:
        return url
    return url.update_query_dict({"connect_timeout": str(_ANSWER)})


@contextmanager
def opened(given: str, option: str, *, new: bool) -> Iterator[RDBStorage]:
    """The storage at an address, or in a file; what a database refuses within the block is a UsageError.

    option: in messages. new: it may be made; else nothing is, and it has to be there.
    """
    from optuna.exceptions import StorageInternalError
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        url = make_url(given if "://" in given else f"sqlite:///{given}")
    except ArgumentError as error:
        raise UsageError(f"{option} {given}: is no address of a database\n  expected {_FORMS}") from error
    where = f"{option} {url.render_as_string(hide_password=True) if '://' in given else given}"
    file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
    if file is not None and not new and not file.is_file():
        raise UsageError(f"{where}: there is no such file")
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"{where}: there is no folder {file.parent}")
    if file is not None and new and file.exists() and not os.access(file, os.W_OK):
        raise UsageError(f"{where}: cannot be written: the file is read-only")
    try:
        with quiet():
            address = _with_patience(url).render_as_string(hide_password=False)
            storage = RDBStorage(address, skip_table_creation=not new)
            try:
                yield storage
            finally:
                storage.remove_session()
                storage.engine.dispose()
    except NoSuchModuleError as error:
        raise UsageError(f"{where}: no such kind of database is known\n  expected {_FORMS}") from error
    except ImportError as error:
        driver = getattr(error.__cause__, "name", None) or "its driver"
        package = _PACKAGES.get(driver, driver)
        raise UsageError(
            f"{where}: needs the package {driver}, which is not installed\n  pip install {package}"
        ) from error
    except (SQLAlchemyError, StorageInternalError) as error:
        reason = str(getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error).splitlines()[0]
        what = "cannot be written" if new else "holds no studies of Optuna that can be read"
        raise UsageError(f"{where}: {what}: {reason}") from error
    except RuntimeError as error:
        # Tables of another version of Optuna; it says how to change them.
        if "optuna" not in str(error):
            raise
        raise UsageError(f"{where}: {' '.join(str(error).split())}") from error
