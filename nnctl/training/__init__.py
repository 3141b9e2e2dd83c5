"""Training: the loop and its events, run folders, checkpoints, evaluation."""
