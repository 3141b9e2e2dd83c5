"""The vocabulary of specs: every component that a spec can name, and their base classes."""
