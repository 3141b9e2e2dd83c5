"""The layers that a spec can name."""
