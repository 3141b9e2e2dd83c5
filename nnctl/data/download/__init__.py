"""Public files into the cache of this user."""
