"""The spec language: YAML with places, validation, messages, and the way back to YAML."""
