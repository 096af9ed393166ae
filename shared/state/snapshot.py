"""The form of a snapshot: one task's state at one step, with what it takes to go on from there."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from shared.errors import HomeostatError

FORMAT = 1
_DIGEST_BYTES = 32


class CorruptSnapshot(HomeostatError):
    """These bytes are no snapshot of this format: go without."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A task's state after `step`.

    `positions` lists (topic without prefix, partition, next offset). `journal_from` is an offset of
    the journal at or before the entry of the step that follows. `ended_jobs` are the newest last.
    `incomplete` says what the state lacks, for people; empty where it is whole.
    """

    format: int = FORMAT
    task: str
    step: int
    now: datetime
    positions: tuple[tuple[str, int, int], ...]
    ended_jobs: tuple[str, ...]
    journal_from: int
    state: bytes
    incomplete: str = ""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def pack(snapshot: Snapshot) -> bytes:
    """SHA-256, then the snapshot as MessagePack."""
    body = _encoder.encode(snapshot)
    return hashlib.sha256(body).digest() + body


def unpack(data: bytes) -> Snapshot:
    """The snapshot in `data`, or `CorruptSnapshot`: cut short, altered, or of another format."""
    digest, body = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise CorruptSnapshot(f"{len(data)} bytes do not match their checksum")
    try:
        snapshot = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise CorruptSnapshot(str(error)) from error
    if snapshot.format != FORMAT:
        raise CorruptSnapshot(f"format {snapshot.format}, this program reads {FORMAT}")
    return snapshot
