"""Ingest's slow work, run in a worker process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from shared.runtime import JobContext
from shared.topics import FEATURES, LABELS


def archive(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    """Writes this partition's features and labels to Parquet up to the log's end; drops what is past retention."""
    from shared.history import archive as archived
    from shared.history.retention import prune

    partition, settings, reader = int(arguments["partition"]), context.settings, context.reader()
    try:
        written = [
            segment.path.name
            for segments in (
                archived(reader, settings.data_dir, FEATURES, partition, topic_prefix=settings.topic_prefix),
                archived(reader, settings.data_dir, LABELS, partition, topic_prefix=settings.topic_prefix),
            )
            for segment in segments
        ]
    finally:
        reader.close()
    dropped = prune(settings.data_dir, partition, arguments["retention_seconds"], context.now)
    return {"written": written, "dropped": [segment.path.name for segment in dropped]}


JOBS: Mapping[str, Callable[[dict[str, Any], JobContext], dict[str, Any]]] = {"archive": archive}
"""The jobs by the name under which the service asks for them."""
