"""Artefacts by content: an address is the SHA-256 of the bytes, so what is read is what was written."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Protocol

from shared.errors import Poison, Transient
from shared.messages import Artifact

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Missing(Transient):
    """The store answers, and has nothing under that hash: not yet, or no longer."""


class ArtifactStore(Protocol):
    """Keeps artefacts. What `put` returned for, `get` gives back after any crash."""

    def put(self, data: bytes) -> str:
        """Keeps the bytes durably and returns their address, ``sha256:<hex>``. Twice keeps once."""
        ...

    def get(self, artifact: Artifact) -> bytes:
        """The bytes, checked against `artifact.sha256`.

        `Missing` while there are none under that hash, `Transient` while the store does not answer; `Poison`
        where hash and bytes differ.
        """
        ...


class FileStore:
    """One file per artefact, named by its hash, in `folder`. Names come from hashes alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.folder / sha256
        if not (path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256):
            self._write(path, data)
        return f"sha256:{sha256}"

    def get(self, artifact: Artifact) -> bytes:
        path = self.folder / checked_sha256(artifact)
        try:
            data = path.read_bytes()
        except FileNotFoundError as error:
            raise _missing(artifact, str(self.folder)) from error
        except OSError as error:
            raise Transient(f"artefact {path} cannot be read: {error}") from error
        return checked_bytes(data, artifact)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            _sync_folder(self.folder)
        except OSError as error:
            raise Transient(f"artefact {path} cannot be written: {error}") from error


class MemoryStore:
    """Artefacts in memory, for tests and the simulation."""

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self._data[sha256] = data
        return f"sha256:{sha256}"

    def get(self, artifact: Artifact) -> bytes:
        data = self._data.get(checked_sha256(artifact))
        if data is None:
            raise _missing(artifact, "memory")
        return checked_bytes(data, artifact)


def checked_sha256(artifact: Artifact) -> str:
    """The hash, known to be one: nothing else ever becomes part of a path."""
    if not _SHA256.fullmatch(artifact.sha256):
        raise Poison(f"{artifact.sha256[:80]!r} is not a SHA-256 in lower-case hex", reason="hash", field="sha256")
    return artifact.sha256


def checked_bytes(data: bytes, artifact: Artifact) -> bytes:
    """The bytes, known to be those that were published."""
    actual = hashlib.sha256(data).hexdigest()
    if actual != artifact.sha256:
        raise Poison(
            f"artefact {artifact.sha256[:12]} holds bytes with hash {actual[:12]}: the file was altered or damaged",
            reason="hash",
        )
    return data


def _missing(artifact: Artifact, where: str) -> Missing:
    return Missing(f"artefact {artifact.sha256[:12]} is not in {where}: is it shared with the trainer?")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
