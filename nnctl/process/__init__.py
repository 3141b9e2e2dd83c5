"""The process that a command runs in: its import path, memory, files, streams and signals."""
