"""The writers of all structured ops; importing this module enters them."""

from nnctl.backends.cpu import sequences, spatial, structured
from nnctl.backends.cpu.registration import EMITTERS, Emitter

__all__ = ["EMITTERS", "Emitter", "sequences", "spatial", "structured"]
