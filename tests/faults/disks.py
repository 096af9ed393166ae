"""A disk of a few megabytes, which can be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Disk:
    """What is under `path` is on it."""

    path: Path

    def fill(self, *, leaving: int = 0) -> None:
        """Leaves so many bytes of room."""
        room = shutil.disk_usage(self.path).free - leaving
        with self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, room)

    def free(self) -> None:
        self._ballast.unlink(missing_ok=True)

    @property
    def _ballast(self) -> Path:
        return self.path / "ballast"


@contextmanager
def small_disk(path: Path, size: str) -> Iterator[Disk]:
    """A new one of `size`, as ``64k``, over the folder `path`; skips the test where nothing may be mounted."""
    path.mkdir(parents=True, exist_ok=True)
    done = _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path))
    if done is None or done.returncode != 0:
        pytest.skip(f"a full disk needs the right to mount one: {done.stderr.strip() if done else 'no mount here'}")
    try:
        yield Disk(path)
    finally:
        _run("umount", "--lazy", str(path))


def _run(*words: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
