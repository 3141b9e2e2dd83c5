"""Side-by-side timings against the peers that are installed: `python -m benchmarks cpu`."""
