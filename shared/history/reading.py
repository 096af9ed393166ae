"""Reading a range of history, from segments where there are some and from the log for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import structlog

from shared.bus.base import LogReader
from shared.errors import HomeostatError
from shared.history.frames import empty_frame, frames_of
from shared.history.segments import archived_until, segments_of
from shared.messages import Features, Label
from shared.topics import Topic

Ranges = Mapping[str, tuple[int, int]]
"""Partition (as text) to [from, until) offsets, as `Lineage` has them."""

_log = structlog.get_logger(__name__)


class HistoryLostError(HomeostatError):
    """A range that is neither archived nor in the log any more: nobody can read it again."""


def read(
    reader: LogReader,
    data_dir: Path,
    topic: Topic[Features] | Topic[Label],
    pipeline: str,
    ranges: Ranges,
    *,
    topic_prefix: str = "",
) -> pl.DataFrame:
    """The pipeline's rows of `ranges`, ordered by partition and offset; columns as in `frames.SCHEMAS`.

    A segment whose bytes do not fit its name is refused (and named in the log of this process), and
    its range is read from the log. `HistoryLostError` where the log no longer has it.
    """
    frames = [empty_frame(topic.name)]
    for partition in sorted(ranges, key=int):
        frames += _Partition(reader, data_dir, topic, pipeline, int(partition), topic_prefix).rows(*ranges[partition])
    return pl.concat(frames)


def available(
    reader: LogReader, data_dir: Path, topic: Topic[Features] | Topic[Label], pipeline: str, *, topic_prefix: str = ""
) -> dict[str, tuple[int, int]]:
    """The widest ranges of this pipeline that `read` can give now: from where archive or log begins to the log's end.

    What others have kept for longer says nothing of this one.
    """
    name = topic_prefix + topic.name
    begins, ends = reader.begin_offsets(name), reader.end_offsets(name)
    ranges = {}
    for partition in sorted(ends):
        segments = segments_of(data_dir, topic.name, partition)
        starts = [segment.start for segment in segments if segment.pipeline == pipeline]
        ranges[str(partition)] = (min([begins.get(partition, 0), ends[partition], *starts]), ends[partition])
    return ranges


@dataclass(slots=True)
class _Partition:
    """One pipeline's rows in one partition."""

    reader: LogReader
    data_dir: Path
    topic: Topic[Features] | Topic[Label]
    pipeline: str
    number: int
    prefix: str
    refused: list[str] = field(default_factory=list)

    def rows(self, start: int, stop: int) -> list[pl.DataFrame]:
        everyone = segments_of(self.data_dir, self.topic.name, self.number)
        frames, cursor = [], start
        for segment in everyone:
            if segment.pipeline != self.pipeline or segment.stop <= cursor or segment.start >= stop:
                continue
            rows = segment.load()
            if rows is None:
                _log.warning("segment refused: its bytes do not fit its name", segment=segment.path.name)
                self.refused.append(segment.path.name)
                continue
            if segment.start > cursor:
                frames.append(self._from_log(cursor, segment.start))
                cursor = segment.start
            frames.append(
                rows.filter(pl.col("offset").is_between(cursor, stop - 1) & (pl.col("offset") < segment.stop))
            )
            cursor = segment.stop
        if cursor < stop:
            frames.append(self._from_log(self._after_silence(cursor, stop, archived_until(everyone) or 0), stop))
        return frames

    def _after_silence(self, cursor: int, stop: int, archived: int) -> int:
        """Where to go on in the log: what it has dropped is empty where the archive found nothing of this pipeline."""
        begin = min(self._begin(), stop)
        return begin if cursor < begin <= archived and not self.refused else cursor

    def _begin(self) -> int:
        return self.reader.begin_offsets(self.prefix + self.topic.name).get(self.number, 0)

    def _from_log(self, start: int, stop: int) -> pl.DataFrame:
        name = self.prefix + self.topic.name
        if start == stop:
            return empty_frame(self.topic.name)
        begin = self._begin()
        if start < begin:
            why = f"; refused: {', '.join(self.refused)}" if self.refused else ""
            raise HistoryLostError(
                f"offsets {start} to {min(begin, stop)} of {name}, partition {self.number}, are neither archived nor "
                f"in the log any more (it begins at {begin}){why}: ask for a later range, or restore the history folder"
            )
        records = [record for chunk in self.reader.read(name, self.number, start, stop) for record in chunk]
        return frames_of(self.topic, records).get(self.pipeline, empty_frame(self.topic.name))
