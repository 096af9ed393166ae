"""The exact training set of a job, read from history and log, with the ranges that make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from services.trainer.core import orders, window
from services.trainer.core.window import Cut
from shared.bus.base import LogReader
from shared.history import Ranges, Stretch, available, content_hash, training_set
from shared.messages import Lineage, Value
from shared.pipeline.specification import Specification
from shared.topics import FEATURES, LABELS

if TYPE_CHECKING:
    import polars as pl

Excluded = Sequence[Stretch]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a pipeline's rows are read from."""

    reader: LogReader
    data_dir: Path
    specification: Specification
    topic_prefix: str = ""

    def rows(self, features: Ranges, labels: Ranges, excluded: Excluded) -> pl.DataFrame:
        return training_set(
            self.reader,
            self.data_dir,
            self.specification,
            features,
            labels,
            excluded,
            topic_prefix=self.topic_prefix,
        )


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows in stream order; `features_ranges`, `labels_ranges` and `excluded` give them again by `reproduced`."""

    frame: pl.DataFrame
    features_ranges: dict[str, tuple[int, int]]
    labels_ranges: dict[str, tuple[int, int]]
    excluded: Excluded
    cut: Cut

    @property
    def data_hash(self) -> str:
        return content_hash(self.frame)

    def newest(self, rows: int) -> TrainingSet:
        """The newest `rows` of these, or all where there are no more."""
        kept = self.frame.tail(rows)
        ranges = {int(p): bounds for p, bounds in self.features_ranges.items()}
        tight = window.tightened(ranges, kept["__partition"].to_list(), kept["__offset"].to_list())
        return replace(self, frame=kept, features_ranges=_texts(tight), cut=self.cut.newest(kept.height))


def newest_set(
    source: Source,
    *,
    most: int,
    since: Mapping[int, int] | None,
    until: Mapping[int, int] | None,
    excluded: Sequence[orders.Stretch],
) -> TrainingSet:
    """The newest `most` rows; `cut` says how many of them come after `since`, where that is named."""
    log = _Log.of(source, until)
    stretches = [
        (p, start, log.ends.get(p, start) if stop is None else stop, source) for p, start, stop, source in excluded
    ]
    frame, ranges, labels = _widened(source, log, most, stretches)
    everything = TrainingSet(frame, _texts(ranges), _texts(labels), stretches, Cut(frame.height))
    kept = everything.newest(most)
    return kept if since is None else replace(kept, cut=Cut(kept.frame.height, _after(kept.frame, since)))


def reproduced(source: Source, lineage: Lineage) -> pl.DataFrame:
    """The rows that `lineage` was trained on: `content_hash` of them is its `data_hash`."""
    frame = source.rows(lineage.features_ranges, lineage.labels_ranges, lineage.left_out)
    return frame.tail(lineage.rows)


def features_of(frame: pl.DataFrame, specification: Specification) -> list[dict[str, Value]]:
    """The model's inputs, one dict per row."""
    return frame.select(specification.feature_names).to_dicts()


def in_ranges(frame: pl.DataFrame, ranges: Mapping[str, tuple[int, int]]) -> list[bool]:
    """For each row, whether its features record lies in `ranges`."""
    found = []
    for partition, offset in frame.select("__partition", "__offset").iter_rows():
        start, stop = ranges.get(str(partition), (0, 0))
        found.append(start <= offset < stop)
    return found


@dataclass(frozen=True, slots=True)
class _Log:
    """Where features and labels begin and end, by partition."""

    begins: dict[int, int]
    ends: dict[int, int]
    label_begins: dict[int, int]
    label_ends: dict[int, int]

    @classmethod
    def of(cls, source: Source, until: Mapping[int, int] | None) -> _Log:
        args, name = (source.reader, source.data_dir), source.specification.name
        features = available(*args, FEATURES, name, topic_prefix=source.topic_prefix)
        labels = available(*args, LABELS, name, topic_prefix=source.topic_prefix)
        return cls(
            {int(p): start for p, (start, _) in features.items()},
            window.until({int(p): stop for p, (_, stop) in features.items()}, until),
            {int(p): start for p, (start, _) in labels.items()},
            {int(p): stop for p, (_, stop) in labels.items()},
        )

    def labels_for(self, features: window.Ranges) -> window.Ranges:
        """The newest labels, four times as many as there are features, but all where that is few.

        A label comes after its event, so the newest labels are those of the newest rows; and a suffix
        of the log always holds the last label of each id that it holds at all.
        """
        rows = sum(stop - start for start, stop in features.values())
        return window.newest(self.label_begins, self.label_ends, max(4 * rows, 10_000))


def _read(source: Source, log: _Log, ranges: window.Ranges, excluded: Excluded) -> tuple[pl.DataFrame, window.Ranges]:
    labels = log.labels_for(ranges)
    return source.rows(_texts(ranges), _texts(labels), excluded), labels


def _widened(
    source: Source, log: _Log, wanted: int, excluded: Excluded
) -> tuple[pl.DataFrame, window.Ranges, window.Ranges]:
    """Doubles the depth until `wanted` rows are found or the log has no more."""
    depth = max(1, window.depth_of(log.begins, log.ends, wanted * 3 // 2))
    while True:
        ranges = window.newest(log.begins, log.ends, depth)
        frame, labels = _read(source, log, ranges, excluded)
        if frame.height >= wanted or window.exhausted(ranges, log.begins):
            return frame, ranges, labels
        depth *= 2


def _after(frame: pl.DataFrame, positions: Mapping[int, int]) -> int:
    """How many rows lie at or after these features offsets; a partition that is not named has none."""
    rows = frame.select("__partition", "__offset").iter_rows()
    return sum(offset >= positions[partition] for partition, offset in rows if partition in positions)


def _texts(ranges: window.Ranges) -> dict[str, tuple[int, int]]:
    return {str(partition): bounds for partition, bounds in ranges.items()}
