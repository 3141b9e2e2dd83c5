"""The executors of plans."""
