"""Weights of nets as other libraries have them: their layouts, and the files that they come in."""
