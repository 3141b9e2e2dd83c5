"""The regularizers that a spec can name."""
