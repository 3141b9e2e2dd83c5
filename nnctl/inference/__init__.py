"""Trained nets at work: evaluation, prediction, generation, sampling."""
