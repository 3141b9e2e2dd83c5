"""A compiled net on a backend, with its state and its data."""
