"""Proposals: a first spec for data that nobody has described yet, each of its values with the reason for it."""
