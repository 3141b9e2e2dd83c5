"""The costs that a spec can name."""
