"""Nets under examination: gradient checks, timings, diagnoses."""
