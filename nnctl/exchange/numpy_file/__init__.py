"""A net as one readable Python file, which needs NumPy alone."""
