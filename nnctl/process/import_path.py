"""The import path without the working folder: a spec may lie beside anything, and none of it is ours to run."""

from __future__ import annotations

# Nothing else: until the path is changed, a file in the working folder would be taken for what Python has not loaded.
import os
import sys

import nnctl


def leave_working_folder() -> None:
    """Import nothing from the working folder from now on, neither here nor in the processes that this one starts.

    `python -m` and `python -c` put it first on the path, and an empty or relative entry of PYTHONPATH names it, too.
    Where nnctl itself lies there, as with a checkout that is not installed, it comes last.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    here = _working_folder()
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", here):
        del sys.path[0]
    given = os.environ.get("PYTHONPATH")
    if given:
        entries = given.split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(os.path.isabs, entries))
        for entry in entries:
            # Python has made them absolute by now.
            if here is not None and not os.path.isabs(entry) and os.path.abspath(entry) in sys.path:
                sys.path.remove(os.path.abspath(entry))
    ours = os.path.dirname(os.path.dirname(os.path.abspath(nnctl.__file__)))
    if ours == here and ours not in sys.path:
        sys.path.append(ours)


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:  # removed under our feet
        return None
