"""Instructions limited for everybody: how an older processor would do, shown on a newer one."""

from __future__ import annotations

import os

VARIABLE = "NNCTL_INSTRUCTIONS"
LIMITS = {
    "avx2": {
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        # What torch.compile writes, a compiler of C++ translates.
        "TORCHINDUCTOR_CPP_MARCH": "x86-64-v3",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2",
    }
}
"""Settings of the libraries by the limit: of OpenBLAS, NumPy, PyTorch, its oneDNN, its MKL, its compiler, and JAX."""


def limit_everyone() -> None:
    """Set what the libraries read when they are loaded, where instructions are limited for us."""
    os.environ.update(LIMITS.get(os.environ.get(VARIABLE, ""), {}))
