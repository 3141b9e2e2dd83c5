"""The passes of recurrent cells, as LLVM IR."""
