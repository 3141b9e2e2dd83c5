"""Streams that a command writes to in a test: terminals and pipes of any encoding."""

from __future__ import annotations

import io


class Stream(io.TextIOWrapper):
    """stdout or stderr: a terminal or a pipe, which takes no character that its encoding lacks."""

    def __init__(self, encoding: str = "utf-8", *, terminal: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding, errors="strict")
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    def text(self) -> str:
        """What has been written."""
        self.flush()
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode(self.encoding)
