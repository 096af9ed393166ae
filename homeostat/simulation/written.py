"""A run as a folder: every record of every topic, so that two runs can be held against each other.

``run.json`` says what was run and what came of it; ``topics/<topic>.ndjson`` has a line per record in
the order written. Neither holds a time of this machine: the same run writes the same bytes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from homeostat.simulation.invariants.table import Violation
from homeostat.simulation.ran import Run
from shared.bus.base import Record
from shared.errors import Misconfigured

SUMMARY = "run.json"
_encoder = msgspec.json.Encoder(order="deterministic")


class Difference(NamedTuple):
    """The first record of a topic that two runs do not share: its line from 1, and both (None where one ends)."""

    topic: str
    line: int
    left: str | None
    right: str | None


def digest_of(records: Sequence[Record]) -> str:
    """SHA-256 over all that a topic holds: places, keys, values, headers, times."""
    return hashlib.sha256(b"\n".join(map(_line, records))).hexdigest()


def digests_of(run: Run) -> dict[str, str]:
    return {topic: digest_of(records) for topic, records in run.records.items()}


def write(run: Run, violations: Sequence[Violation], command: str, folder: Path) -> None:
    """Writes the run to `folder`, in place of what an earlier run left there."""
    if folder.exists() and not (folder / SUMMARY).exists():
        raise Misconfigured(f"{folder} exists and is not a run's folder: give another with --out")
    shutil.rmtree(folder, ignore_errors=True)
    topics = folder / "topics"
    topics.mkdir(parents=True)
    for topic, records in run.records.items():
        (topics / f"{topic}.ndjson").write_bytes(b"".join(_line(record) + b"\n" for record in records))
    summary: dict[str, Any] = {
        "command": command,
        "seed": run.plan.seed,
        "world": run.world.name,
        "shuffled": run.plan.shuffled,
        "faults": [asdict(fault) for fault in run.plan.faults],
        "struck": list(run.struck),
        "violations": [asdict(each) for each in violations],
        "digests": digests_of(run),
    }
    (folder / SUMMARY).write_bytes(msgspec.json.format(_encoder.encode(summary), indent=2) + b"\n")


def differences(left: Path, right: Path) -> Iterator[Difference]:
    """By topic, the first record in which two runs differ. `Misconfigured` where a folder holds no run."""
    for folder in (left, right):
        if not (folder / SUMMARY).is_file():
            raise Misconfigured(f"{folder} holds no run: `homeostat sim run --seed N --out {folder}` writes one")
    names = sorted({path.name for folder in (left, right) for path in (folder / "topics").glob("*.ndjson")})
    for name in names:
        ours, theirs = (_lines(folder / "topics" / name) for folder in (left, right))
        for number, (a, b) in enumerate(zip_longest(ours, theirs), start=1):
            if a != b:
                yield Difference(name.removesuffix(".ndjson"), number, a, b)
                break


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _line(record: Record) -> bytes:
    return _encoder.encode(
        {
            "partition": record.partition,
            "offset": record.offset,
            "timestamp_ms": record.timestamp_ms,
            "key": _text(record.key),
            "value": _text(record.value),
            "headers": [[name, _text(value)] for name, value in record.headers],
        }
    )


def _text(data: bytes | None) -> str | None:
    """UTF-8 as text; other bytes in escapes that no text looks like by chance."""
    return None if data is None else data.decode("utf-8", "backslashreplace")
