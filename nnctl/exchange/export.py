"""A run's net in a file of another tool."""

from __future__ import annotations

from pathlib import Path

from nnctl.errors import UsageError
from nnctl.exchange.formats import Exported, Options, format_of
from nnctl.inference.opened import read_run
from nnctl.reporting.new_file import new_file, require_new


def export(run: Path, out: Path, options: Options, *, checkpoint: str | None = None, force: bool = False) -> Exported:
    """Write the net of the run at `run` (as `find` takes it) to `out`, in the format of its ending.

    The file is there whole, or not at all; what a format writes beside it has its name with another ending.
    checkpoint: see `read_run`. force: overwrite a file.
    Raises UsageError, RunError, DataError; ExchangeFailed where the file answers otherwise than the net.
    """
    format_ = format_of(out)
    if strangers := [name for name in options.given() if name not in format_.options]:
        raise UsageError(f"--{strangers[0]}: says nothing to {out.suffix} files, which are {format_.words}")
    require_new(out, "OUT", force=force)
    exported = format_.export(read_run(run, checkpoint), options)
    # What lies beside it first: where the file is, all is.
    files = {out.with_suffix(ending): content for ending, content in exported.beside.items()}
    for path in files:
        require_new(path, "OUT", force=force)
    for path, content in {**files, out: exported.content}.items():
        with new_file(path, "OUT", force=force) as file:
            file.write(content)
    return exported
