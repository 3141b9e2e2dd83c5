"""Rows of metrics: how events of a run become lines in a pipe, in files, on a terminal."""
