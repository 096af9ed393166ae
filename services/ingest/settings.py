"""Ingest's knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from services.ingest.core.state import Bounds
from shared.settings import number, whole


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """Bounds on what one task (one partition) remembers, and when it archives.

    `remembered_ids`: newest ids per pipeline in which a repetition is recognised, at least. `most_keys` and
    `most_tail_values` bound the windows: past either, the key seen longest ago begins anew.
    `unknown_wait_seconds`: how long rows wait for the specification of their pipeline, at most
    `unknown_wait_rows` of them. The archive runs every `archive_seconds`, or after `archive_rows` rows.
    """

    remembered_ids: int = 100_000
    most_keys: int = 50_000
    most_tail_values: int = 2_000_000
    unknown_wait_seconds: float = 5.0
    unknown_wait_rows: int = 5_000
    archive_seconds: float = 900.0
    archive_rows: int = 50_000
    archive_timeout_seconds: float = 600.0

    @property
    def bounds(self) -> Bounds:
        return Bounds(self.remembered_ids, self.most_keys, self.most_tail_values)


def ingest_settings(environ: Mapping[str, str]) -> IngestSettings:
    """The settings in `environ`; `Misconfigured` names the variable that is wrong."""
    defaults = IngestSettings()
    return IngestSettings(
        remembered_ids=whole(environ, "HOMEOSTAT_INGEST_REMEMBERED_IDS", defaults.remembered_ids, least=1),
        most_keys=whole(environ, "HOMEOSTAT_INGEST_MOST_KEYS", defaults.most_keys, least=1),
        most_tail_values=whole(environ, "HOMEOSTAT_INGEST_MOST_TAIL_VALUES", defaults.most_tail_values, least=1),
        unknown_wait_seconds=number(environ, "HOMEOSTAT_INGEST_UNKNOWN_WAIT_SECONDS", defaults.unknown_wait_seconds),
        unknown_wait_rows=whole(environ, "HOMEOSTAT_INGEST_UNKNOWN_WAIT_ROWS", defaults.unknown_wait_rows, least=1),
        archive_seconds=number(environ, "HOMEOSTAT_INGEST_ARCHIVE_SECONDS", defaults.archive_seconds),
        archive_rows=whole(environ, "HOMEOSTAT_INGEST_ARCHIVE_ROWS", defaults.archive_rows, least=1),
    )
