"""Executors of a sweep's trials: worker processes."""
