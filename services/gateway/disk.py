"""A full disk, told beside what it keeps from being written: in the local stack it is Kafka's too."""

from __future__ import annotations

import shutil
from pathlib import Path

LOW_BYTES = 256 * 2**20
"""With less than this the local stack's Kafka does not start."""


def nearly_full(folder: Path) -> str:
    """What to add to an error where the disk of `folder` has little room; else, or where that is not known, empty."""
    try:
        return told(folder, shutil.disk_usage(folder).free)
    except OSError:
        return ""


def told(folder: Path, free: int) -> str:
    """
    >>> told(Path("data"), 3 * 2**20)
    '. The disk of data has 3 MiB free: free some space'
    """
    return f". The disk of {folder} has {free >> 20} MiB free: free some space" if free < LOW_BYTES else ""
