"""Runs at a glance: lists by conditions, comparisons of two, their states in sentences, curves on a terminal."""
