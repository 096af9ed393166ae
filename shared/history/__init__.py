"""History of features and labels: Parquet segments, the live log, and exact training sets from both.

Everything is addressed by topic, pipeline and offset range, and the same range gives the same rows
(and the same `content_hash`) whether they come from segments, from the log or from both.
"""

from shared.history.archive import archive
from shared.history.hashing import content_hash
from shared.history.reading import HistoryLostError, Ranges, available, read
from shared.history.segments import Segment, segments_of
from shared.history.training import META_COLUMNS, Stretch, training_set

__all__ = [
    "META_COLUMNS",
    "HistoryLostError",
    "Ranges",
    "Segment",
    "Stretch",
    "archive",
    "available",
    "content_hash",
    "read",
    "segments_of",
    "training_set",
]
