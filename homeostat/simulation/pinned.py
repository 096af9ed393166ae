"""What decides the last bit of a number, pinned: threads, vector instructions, hash order.

Sums come out differently when threads divide them, and exp or log when a library takes another kernel
for another processor. With these set, before the libraries are loaded, every x86-64 machine with AVX2
takes the same kernels. docs/decisions tells how far that reaches.
"""

from __future__ import annotations

import gc
import os
import platform
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

THREADS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "PYTHONHASHSEED": "0",
}
KERNELS = {
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512BW,-AVX512DQ",
}


def environment() -> dict[str, str]:
    """The variables to set before numpy is loaded."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return {**THREADS, **(KERNELS if x86 else {})}


GARBAGE = (50_000, 20, 100)
"""Objects between two looks for cycles, and looks between two wider ones: runs make few cycles and much else."""


@contextmanager
def workers(count: int) -> Iterator[ProcessPoolExecutor]:
    """`count` new processes in which the variables hold; this one's own are put back."""
    before = {name: os.environ.get(name) for name in environment()}
    os.environ.update(environment())
    try:
        context = get_context("spawn")
        with ProcessPoolExecutor(count, context, initializer=gc.set_threshold, initargs=GARBAGE) as pool:
            yield pool
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
