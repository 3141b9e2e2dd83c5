"""The activations that a spec can name."""
