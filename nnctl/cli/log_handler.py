"""The log handler: records as lines on stderr, such as that a step is compiled or a cache cannot be written."""

from __future__ import annotations

import logging
import sys

_LOGGER = logging.getLogger("nnctl")


class _OnStderr(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        # Looked up for each line: while a progress bar is on the screen it stands in for the stream, and prints above.
        print(record.getMessage(), file=sys.stderr, flush=True)


def show() -> None:
    """Print records of level INFO and above from now on."""
    if not any(isinstance(handler, _OnStderr) for handler in _LOGGER.handlers):
        _LOGGER.addHandler(_OnStderr())
    _LOGGER.setLevel(logging.INFO)


def silence() -> None:
    """Print records of level WARNING and above alone, for `--quiet`."""
    _LOGGER.setLevel(logging.WARNING)
