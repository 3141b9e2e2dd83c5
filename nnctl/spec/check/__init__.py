"""Validation: fields, their consistency, advice."""
