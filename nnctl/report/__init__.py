"""Reports: pages on runs and sweeps, and on an example's way through a net, each one file."""
