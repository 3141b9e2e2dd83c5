"""The process that a command runs in: its import path, its streams, its signals."""
