"""The reference backend: plans run launch by launch on NumPy's arrays. It judges every other backend."""
