"""The program of a process that compiles for another: see `helpers`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from nnctl.backends.cpu.compiler.machine_code import code_for, machine_of
from nnctl.process.signals import leave


def serve(processor: str, features: str) -> None:
    """Be a helper: object code to stdout for modules on stdin, until that ends. For the arguments see `machine_of`."""
    # Whoever has left no longer reads.
    with suppress(BrokenPipeError):
        leave(lambda: _answer(processor, features))
    os._exit(0)


def _answer(processor: str, features: str) -> None:
    given, taken = sys.stdin.buffer, sys.stdout.buffer
    machine = machine_of(processor, features)
    taken.write(b"\n")
    taken.flush()
    while head := given.readline():
        level, size = map(int, head.split())
        text = given.read(size)
        if len(text) < size:
            return
        code = code_for(text.decode(), level, machine)
        taken.write(b"%d\n" % len(code) + code)
        taken.flush()
