"""The initializers that a spec can name."""
