"""The command line: `main` runs one command and gives the exit code of the process."""

from __future__ import annotations

import atexit
import gc
import os
import sys

from nnctl.process.import_path import leave_working_folder

TYPE_CHECKING = False
# No other import here (`atexit` and `gc` are built in): what `python -m nnctl` loads before `main` may come from the
# working folder, and a signal that comes before ends Python, not nnctl.
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

_BY_SIGNAL = (129, 130, 143)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` name; if None, those of the process, which is then the command's alone.

    Returns the exit code: 0 done, 2 usage, spec or machine, 3 data, 4 diverged, 5
    gradcheck, parity or the check of an export failed, 129, 130 and 143 by signal, 141 where the reader of stdout
    has gone. An exception that nobody foresaw passes through to the
    interpreter, which ends with 1 after `explain_defect`.
    """
    if arguments is not None:
        return _guarded(arguments)
    leave_working_folder()
    end = _End()
    # Before any other: those are called before it.
    atexit.register(end.come)
    from nnctl.process.signals import Signalled, end_at_once, end_on_signals

    end_on_signals()
    try:
        from nnctl.process.streams import prepare_streams

        prepare_streams()
        code = _guarded(None)
    except Signalled as signalled:
        code = signalled.exit_code
    end_at_once()
    end.code = code
    if code in _BY_SIGNAL:
        # Not by way of the interpreter's end, which waits for threads that have been left behind and for a reader of
        # stdout that does not read.
        sys.stderr.flush()
        os._exit(code)
    return code


class _End:
    """The end of a command's process, once all has been put in order.

    Python would take apart what was loaded, object by object: a twentieth of a short command's time. code: the exit
    code; None until there is one, where Python ends the process, as after an exception that nobody foresaw.
    """

    code: int | None = None

    def come(self) -> None:
        """End the process, if there is a code."""
        if self.code is not None:
            sys.stderr.flush()
            os._exit(self.code)


def _guarded(arguments: Sequence[str] | None) -> int:
    """Run a command; what the machine does to it becomes an exit code."""
    from nnctl.backends.blas import prepare_blas
    from nnctl.screen.guard import guarded

    sys.excepthook = explain_defect
    # What compiling makes lives long: to look for cycles in it after every 700 objects is a third of its time.
    gc.set_threshold(500_000)
    # Before anything loads NumPy, whose BLAS reads its settings then.
    prepare_blas()
    with guarded():
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    from nnctl.process.refusals import sentence_of, shortage_of
    from nnctl.process.streams import BROKEN_PIPE, drop_stdout

    try:
        code = _run(arguments)
        if code not in _BY_SIGNAL:
            sys.stdout.flush()
    except BrokenPipeError:
        code = BROKEN_PIPE
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        print(f"nnctl: {sentence}", file=sys.stderr)
        code = 2
    except (MemoryError, RuntimeError, ImportError) as error:
        shortage = shortage_of(error)
        if shortage is None:
            raise
        print(f"nnctl: {shortage}", file=sys.stderr)
        code = 2
    try:
        if code not in _BY_SIGNAL:
            sys.stdout.flush()
    except OSError:
        drop_stdout()
    return code


def _run(arguments: Sequence[str] | None) -> int:
    from nnctl.cli import ahead

    given = sys.argv[1:] if arguments is None else arguments
    ahead.begin(given, own=arguments is None)
    from nnctl.cli.app import command
    from nnctl.errors import NnctlError

    try:
        command(given).main(args=arguments, prog_name="nnctl")
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
    from nnctl.screen.guard import guarded

    with guarded():
        sys.__excepthook__(kind, error, trace)
        plugin = _plugin_of(trace)
        print(
            f"nnctl: this is a defect of {plugin or f'nnctl {__version__}'}, not of your spec; "
            "please report it with the command line and the lines above",
            file=sys.stderr,
        )


def _plugin_of(trace: TracebackType | None) -> str | None:
    """The plugin that a traceback leads through, in words."""
    registry = sys.modules.get("nnctl.components.registry")
    package = registry.plugin_of(trace) if registry is not None else None
    return None if package is None else f"the plugin {package}"
