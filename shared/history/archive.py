"""From the log to segments. Each run goes on where the last one ended; running twice does no harm."""

from __future__ import annotations

from pathlib import Path

from shared.bus.base import LogReader, Record
from shared.history.frames import empty_frame, frames_of
from shared.history.segments import Segment, archived_until, segments_of, write_segment
from shared.messages import Features, Label
from shared.topics import Topic

CHUNK = 20_000
"""Offsets per segment at most: bounds the memory of one run."""


def archive(
    reader: LogReader, data_dir: Path, topic: Topic[Features] | Topic[Label], partition: int, *, topic_prefix: str = ""
) -> list[Segment]:
    """Writes segments of what the partition has and the archive has not; returns those written.

    A pipeline's segments follow each other without a gap: one that was silent for a while gets a
    longer next segment. What the log dropped before it was archived is lost to the archive too. Offsets
    that hold no row of anybody (transactions that were aborted) are put down as an empty segment: once
    the log has dropped them, nothing else tells that they were empty.
    """
    name = topic_prefix + topic.name
    segments = segments_of(data_dir, topic.name, partition)
    begin, end = reader.begin_offsets(name).get(partition, 0), reader.end_offsets(name).get(partition, 0)
    start = max(begin, archived_until(segments) or 0)
    origin = min((segment.start for segment in segments), default=start)
    stops = {segment.pipeline: segment.stop for segment in segments}
    written = []
    for low in range(start, end, CHUNK):
        high = min(low + CHUNK, end)
        records: list[Record] = [record for chunk in reader.read(name, partition, low, high) for record in chunk]
        for pipeline, frame in frames_of(topic, records).items():
            first = stops.get(pipeline, origin)
            written.append(write_segment(data_dir, topic.name, pipeline, partition, first, high, frame))
            stops[pipeline] = high
        if stops and max(stops.values()) < high:
            pipeline = max(stops, key=lambda name: (stops[name], name))
            empty = empty_frame(topic.name)
            written.append(write_segment(data_dir, topic.name, pipeline, partition, stops[pipeline], high, empty))
            stops[pipeline] = high
    return written
