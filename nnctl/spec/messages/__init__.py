"""The words of error messages."""
