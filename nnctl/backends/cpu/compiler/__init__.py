"""The compiler of kernels: functions in a subset of Python become LLVM IR and, once a machine, object code."""
