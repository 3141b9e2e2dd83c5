"""The writers of all structured ops; importing this module enters them."""

from nnctl.backends.cpu.codegen.registration import EMITTERS, Emitter
from nnctl.backends.cpu.kernels import sequences, spatial, structured

__all__ = ["EMITTERS", "Emitter", "sequences", "spatial", "structured"]
