"""A program in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def printed(program: str, *, hash_seed: str) -> str:
    """What `program` prints in a fresh Python whose hashes of texts are seeded so."""
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
