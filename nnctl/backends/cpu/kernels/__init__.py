"""The kernels of structured ops."""
