"""Hand-written vectors, as LLVM IR: formulas, the passes of recurrent cells, rows of classes."""
