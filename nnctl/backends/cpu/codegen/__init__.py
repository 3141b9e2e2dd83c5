"""From plans to the source of compiled functions."""
