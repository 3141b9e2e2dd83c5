"""The metrics that a spec can name."""
