"""The hash chain of the ledger: each entry carries the SHA-256 of itself and of its predecessor.

Method: hash-linked time-stamping (Haber and Stornetta, 1991). A chain alone cannot show that its
newest entries were cut off: hold it against a head noted elsewhere for that.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from shared.messages import AuditEntry

GENESIS = "0" * 64
"""What the first entry (sequence 1) names as its predecessor."""


class Head(NamedTuple):
    """The newest entry of a chain: its sequence (0 for an empty chain) and its hash."""

    sequence: int = 0
    hash: str = GENESIS


class Broken(NamedTuple):
    """Where a chain breaks: the first sequence that does not hold, and why."""

    sequence: int
    reason: str


def canonical(entry: AuditEntry) -> bytes:
    """The bytes that are hashed: JSON of all fields but `hash`, keys sorted, no spaces, UTF-8."""
    fields = msgspec.to_builtins(entry)
    fields.pop("hash", None)
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def hash_of(entry: AuditEntry) -> str:
    """SHA-256 of the canonical form, hex."""
    return hashlib.sha256(canonical(entry)).hexdigest()


def sealed(entry: AuditEntry, head: Head) -> AuditEntry:
    """`entry` as the next link after `head`: sequence, previous and hash filled in.

    The body is brought into the form in which it comes back from the log (plain JSON; what is not a
    finite number becomes null), so that a reader computes the same hash.
    """
    body = _plain(msgspec.to_builtins(entry.body, str_keys=True))
    link = msgspec.structs.replace(entry, sequence=head.sequence + 1, previous=head.hash, body=body, hash="")
    return msgspec.structs.replace(link, hash=hash_of(link))


def verify(entries: Iterable[AuditEntry], head: Head | None = None, after: Head | None = None) -> Broken | None:
    """The first break of the chain, or None where it holds.

    `entries` in log order, from the first of all or from the one that follows `after`. With `head`,
    a note of the newest entry kept elsewhere, a cut tail shows as well.
    """
    at = after or Head()
    for entry in entries:
        broken = _break(entry, at)
        if broken is not None:
            return broken
        at = Head(entry.sequence, entry.hash)
        if head is not None and at.sequence == head.sequence and at.hash != head.hash:
            return Broken(at.sequence, "differs from the head noted elsewhere: the chain was written anew")
    if head is not None and at.sequence < head.sequence:
        return Broken(at.sequence + 1, f"missing: the chain ends at {at.sequence}, the noted head is {head.sequence}")
    return None


def _break(entry: AuditEntry, at: Head) -> Broken | None:
    expected = at.sequence + 1
    if entry.sequence > expected:
        return Broken(expected, f"missing: after {at.sequence} comes {entry.sequence}")
    if entry.sequence < expected:
        return Broken(expected, f"out of order or repeated: after {at.sequence} comes {entry.sequence}")
    if entry.previous != at.hash:
        return Broken(expected, "does not follow the entry before it: `previous` is not that entry's hash")
    if entry.hash != hash_of(entry):
        return Broken(expected, "was altered: its hash does not match its content")
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
