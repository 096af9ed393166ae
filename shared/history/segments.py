"""Segments: immutable Parquet files whose name says what is in them and what their bytes must hash to."""

from __future__ import annotations

import hashlib
import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

_NAME = re.compile(r"^([a-z-]+)\.([a-z0-9_-]+)\.(\d+)\.(\d+)-(\d+)\.([0-9a-f]{64})\.parquet$")


@dataclass(frozen=True, slots=True)
class Segment:
    """All records of one pipeline with start <= offset < stop of one partition, in one file."""

    path: Path
    topic: str
    pipeline: str
    partition: int
    start: int
    stop: int
    sha256: str

    def load(self) -> pl.DataFrame | None:
        """The rows, or None where the file is gone or its bytes are not those its name promises."""
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != self.sha256:
            return None
        return pl.read_parquet(io.BytesIO(data))


def history_dir(data_dir: Path) -> Path:
    return data_dir / "history"


def segments_of(data_dir: Path, topic: str, partition: int) -> list[Segment]:
    """Every pipeline's segments of this partition, by where they start. Names that are no segment's are left alone."""
    folder = history_dir(data_dir) / topic
    found = [_segment(path) for path in folder.iterdir()] if folder.is_dir() else []
    mine = [segment for segment in found if segment is not None and segment.partition == partition]
    return sorted(mine, key=lambda s: (s.start, s.stop, s.pipeline, s.sha256))


def archived_until(segments: Sequence[Segment]) -> int | None:
    """The offset up to which a partition is archived; None where nothing is."""
    return max((segment.stop for segment in segments), default=None)


def write_segment(
    data_dir: Path, topic: str, pipeline: str, partition: int, start: int, stop: int, frame: pl.DataFrame
) -> Segment:
    """Writes the segment so that it is there whole or not at all, also after a loss of power."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    data = buffer.getvalue()
    sha256 = hashlib.sha256(data).hexdigest()
    folder = history_dir(data_dir) / topic
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{topic}.{pipeline}.{partition}.{start}-{stop}.{sha256}.parquet"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return Segment(path, topic, pipeline, partition, start, stop, sha256)


def _segment(path: Path) -> Segment | None:
    match = _NAME.match(path.name)
    if match is None:
        return None
    topic, pipeline, partition, start, stop, sha256 = match.groups()
    return Segment(path, topic, pipeline, int(partition), int(start), int(stop), sha256)
