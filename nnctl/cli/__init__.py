"""The command line: `main` runs one command and gives the exit code of the process."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from types import TracebackType

from nnctl.backends.blas import prefer_wide_kernels
from nnctl.errors import NnctlError
from nnctl.screen.streams import guarded

BROKEN_PIPE = 141
"""The exit code that a shell reports of a process that SIGPIPE ended: `nnctl … | head -1` is no failure of ours."""

_SURROUNDINGS = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENAMETOOLONG}
)
"""Errors of the operating system that speak of the machine and not of our code."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (those of the process, if None) name.

    Returns the exit code: 0 done, 2 usage or spec, 3 data, 4 diverged, 5
    gradcheck failed, 130 and 143 by signal, 141 where the reader of stdout
    has gone. An exception that nobody foresaw passes through to the
    interpreter, which ends with 1 after `explain_defect`.
    """
    sys.excepthook = explain_defect
    # Before anything loads NumPy, whose BLAS chooses its kernels then.
    prefer_wide_kernels()
    with guarded():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        if error.errno not in _SURROUNDINGS:
            raise
        where = f": {error.filename}" if error.filename else ""
        print(f"nnctl: {error.strerror}{where}", file=sys.stderr)
        code = 2
    if code == BROKEN_PIPE:
        # The interpreter flushes stdout once more as it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from nnctl.cli.app import command

    try:
        command().main(args=arguments, prog_name="nnctl")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except NnctlError as error:
        from nnctl.cli.diagnostics import show

        show(error, sys.stderr)
        return error.exit_code
    raise AssertionError("typer ends every command with SystemExit")


def explain_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The traceback of an exception that nobody foresaw, and what to do about it."""
    from nnctl import __version__

    with guarded():
        sys.__excepthook__(kind, error, trace)
        print(
            f"nnctl: this is a defect of nnctl {__version__}, not of your spec; "
            "please report it with the command line and the lines above",
            file=sys.stderr,
        )
