"""Reports: pages on runs and sweeps, each one file."""
