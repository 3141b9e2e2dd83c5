"""The CUDA backend: generated and hand-written kernels, each step captured into a graph."""
