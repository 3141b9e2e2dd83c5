"""Modules compiled by NVRTC for an architecture; kept in the cache, as compiling takes longer than small nets train."""

from __future__ import annotations

import logging
import re
from typing import Any, NoReturn

from nnctl.backends.cache.store import kept_bytes
from nnctl.backends.cuda.codegen.functions import UNIT, Unit
from nnctl.errors import KernelError

log = logging.getLogger("nnctl.compile")

_OPTIONS = ("-std=c++17", "--fmad=false")
"""Products and sums are fused where a kernel says so by fmaf, and nowhere else: a function gives the same bits in
whatever it is compiled into, so that a run may go on by another way."""
_PROBLEM = re.compile(r"^(.+)\((\d+)\): (?:catastrophic )?error\b[^:]*: (.+)$", re.MULTILINE)


class RejectedError(Exception):
    """A text that the compiler does not take; its message is what the compiler says."""


def compiled(unit: Unit, architecture: str) -> bytes:
    """The machine code of a unit's module. architecture: as "sm_90".

    Raises KernelError where the compiler does not take it.
    """
    return kept_bytes("kernels", parts_of(unit.module, architecture), lambda: _announced(unit, architecture))


def parts_of(module: str, architecture: str) -> tuple[str, ...]:
    """The things that the machine code of a module depends on: its text, the compiler, what that is told."""
    return (module, architecture, *_OPTIONS, *map(str, _nvrtc().getVersion()))


def _announced(unit: Unit, architecture: str) -> bytes:
    log.info("compiling %s, once for this text", unit.name)
    return compile_now(unit, architecture)[0]


def compile_now(unit: Unit, architecture: str, *options: str) -> tuple[bytes, str]:
    """The machine code and what the compiler says. options: further ones of NVRTC. Raises KernelError as `compiled`."""
    try:
        return machine_code(unit.module, architecture, *options)
    except RejectedError as error:
        _refuse(unit, str(error), error)


def machine_code(module: str, architecture: str, *options: str) -> tuple[bytes, str]:
    """The machine code of a text and what the compiler says. Raises RejectedError where it does not take it."""
    nvrtc = _nvrtc()
    program = nvrtc.createProgram(module, "", (), ())
    try:
        try:
            nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", *_OPTIONS, *options))
        except nvrtc.NVRTCError as error:
            raise RejectedError(nvrtc.getProgramLog(program) or str(error)) from error
        return nvrtc.getCUBIN(program), nvrtc.getProgramLog(program)
    finally:
        nvrtc.destroyProgram(program)


def architecture_for(capability: int) -> str:
    """The architecture to compile for on a device of that compute capability, as 90 for 9.0.

    The newest that the compiler knows where the device is newer: within a generation its code runs there, too.
    Raises KernelError where it knows none that runs there.
    """
    known = [each for each in _nvrtc().getSupportedArchs() if each <= capability and each // 10 == capability // 10]
    if not known:
        major, minor = _nvrtc().getVersion()
        raise KernelError(
            f"the device has compute capability {capability // 10}.{capability % 10}, for which NVRTC {major}.{minor} "
            "does not compile\n  pip install --upgrade cupy-cuda13x nvidia-cuda-nvrtc brings one for newer devices, "
            "pip install 'nnctl[cuda12]' one for older ones"
        )
    return f"sm_{max(known)}"


def _nvrtc() -> Any:
    from cupy.cuda import nvrtc

    return nvrtc


def _refuse(unit: Unit, said: str, error: RejectedError) -> NoReturn:
    """Raise the KernelError for what the compiler said: the kernel, the line of its unit, the compiler's words."""
    problems = _PROBLEM.findall(said)
    if not problems:
        raise KernelError(f"{unit.name} does not compile: {said.strip()}") from error
    part, line, words = problems[0]
    name = unit.function_at(part, int(line))
    where = unit.name if part == UNIT else part
    others = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    raise KernelError(
        f"{f'the kernel {name}' if name else unit.name} does not compile: {where}, line {line}: {words}{others}"
    ) from error
