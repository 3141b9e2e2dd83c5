"""The engine is tested on every backend that the contract is tested on."""

from backends.conftest import backend

__all__ = ["backend"]
