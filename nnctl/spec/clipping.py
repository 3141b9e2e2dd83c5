"""The clipping that a spec can name."""
