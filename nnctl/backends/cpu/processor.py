"""The identity of this processor and of LLVM: parts of the key of everything compiled here."""

from __future__ import annotations

import llvmlite

from nnctl.backends.machine import instruction_sets, processor


def identity() -> list[str]:
    """LLVM's version, the processor's name and its instruction sets."""
    return [llvmlite.__version__, processor(), *instruction_sets()]
