"""The spec language: YAML with places, the registry of components, validation, and the way back to YAML."""
