"""Convolution, as LLVM IR."""
