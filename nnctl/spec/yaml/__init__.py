"""YAML 1.2 with the place of every value."""
