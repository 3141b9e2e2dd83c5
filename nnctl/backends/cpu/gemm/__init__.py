"""The matrix product, as LLVM IR."""
