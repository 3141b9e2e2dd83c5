"""Data: sources, splits, statistics of the inputs, batches."""
