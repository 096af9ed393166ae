"""The end of history: segments that were written longer ago than their pipeline keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.history.segments import Segment, segments_of
from shared.topics import FEATURES, LABELS


def prune(data_dir: Path, partition: int, retention_seconds: Mapping[str, float], now: datetime) -> list[Segment]:
    """Removes what is too old and returns it. Pipelines that are not named are left alone.

    The newest segment of a pipeline stays: it says how far the archive has come.
    """
    dropped = []
    for topic in (FEATURES.name, LABELS.name):
        segments = segments_of(data_dir, topic, partition)
        newest = {segment.pipeline: segment for segment in segments}
        for segment in segments:
            kept = retention_seconds.get(segment.pipeline)
            if kept is None or segment is newest[segment.pipeline]:
                continue
            written = datetime.fromtimestamp(segment.path.stat().st_mtime, UTC)
            if now - written > timedelta(seconds=kept):
                segment.path.unlink(missing_ok=True)
                dropped.append(segment)
    return dropped
