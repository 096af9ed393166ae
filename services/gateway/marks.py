"""By what a log is known again: a digest of the last record that was folded of each partition.

Names and lengths do not tell logs apart: a topic that was deleted and made anew on the same cluster may have grown past
where the old one had ended. The record that was folded last is in the same log, at the same offset, and in no other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from shared.bus.base import LogReader, Record
from shared.clock import monotonic
from shared.errors import Transient

Place = tuple[str, int]

NO_RECORD = b""
"""Where a record was folded, and the log holds none."""

_BYTES = 16
_SECONDS = 10.0
_MOST = 1000


def mark_of(record: Record) -> bytes:
    """A digest of key, value and the broker's time."""
    key = record.key or b""
    head = f"{record.timestamp_ms}:{len(key)}:".encode()
    return hashlib.blake2b(head + key + record.value, digest_size=_BYTES).digest()


def marks_at(
    reader: LogReader,
    offsets: Mapping[Place, int],
    *,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = monotonic,
) -> dict[Place, bytes]:
    """The marks of the records at these offsets, by full topic name and partition; `reader` follows them afterwards.

    `NO_RECORD` where there is none. Where retention has dropped it, nothing can be said, and the place is left out.
    All partitions are asked at once, as each may take a second. `Transient` where nothing comes.
    """
    begins = {topic: reader.begin_offsets(topic) for topic, _ in offsets}
    wanted = {place: at for place, at in offsets.items() if begins[place[0]].get(place[1], 0) <= at}
    found = dict.fromkeys(wanted, NO_RECORD)
    if not wanted:
        return found
    reader.follow(wanted)
    until = clock() + _SECONDS
    while not stopped() and not _reached(reader, wanted):
        if clock() > until:
            raise Transient(f"the records that were folded last did not come within {_SECONDS:g} s")
        for record in reader.poll(_MOST, 0.05):
            place = (record.topic, record.partition)
            if wanted[place] == record.offset:
                found[place] = mark_of(record)
    return found


def _reached(reader: LogReader, wanted: Mapping[Place, int]) -> bool:
    reached = reader.reached()
    return all(reached.get(place, 0) > at for place, at in wanted.items())
