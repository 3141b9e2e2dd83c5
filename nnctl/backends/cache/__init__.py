"""Compiled code on disk, in bounds."""
