"""The generation of CUDA C: formulas, signatures, modules."""
