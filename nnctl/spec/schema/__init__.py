"""Forms of fields, and the JSON Schema."""
