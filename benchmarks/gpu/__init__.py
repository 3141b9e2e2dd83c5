"""The suite for a GPU: `python -m benchmarks gpu` judges every kernel and every spec there, then times them."""
