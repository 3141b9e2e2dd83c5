"""A persistent kernel: one launch that runs a whole chunk of steps of a small net."""
