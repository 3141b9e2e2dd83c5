"""Completion scripts for bash, zsh and fish, and the candidates that they ask for."""

from nnctl.cli.completion.command import completion

__all__ = ["completion"]
