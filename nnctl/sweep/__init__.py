"""Searching for hyper-parameters: many runs of one spec with different settings."""
