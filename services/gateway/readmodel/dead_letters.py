"""What was refused: the newest letters, and counts by pipeline and reason."""

from __future__ import annotations

import base64
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

from services.gateway.readmodel.entry import Entry
from shared.messages import DeadLetter

LETTERS_KEPT = 2000
SHOWN_BYTES = 2000
COUNTS_KEPT = 1000


class DeadLetterBook:
    """The newest letters, bodies cut to `SHOWN_BYTES`; the whole bytes stay on the topic.

    `counts` are by pipeline and reason. A letter may name any pipeline: past `COUNTS_KEPT` those of new ones
    count under no name.
    """

    def __init__(self, kept: int = LETTERS_KEPT) -> None:
        self._letters: deque[dict[str, Any]] = deque(maxlen=kept)
        self.counts: Counter[tuple[str, str]] = Counter()

    def on_dead_letters(self, entries: Sequence[Entry[DeadLetter]]) -> None:
        for entry in entries:
            self._letters.append(_view(entry))
            key = (entry.message.pipeline or "", entry.message.reason)
            self.counts[key if key in self.counts or len(self.counts) < COUNTS_KEPT else ("", "other")] += 1

    def select(self, *, pipeline: str | None, reason: str | None, limit: int = 100) -> list[dict[str, Any]]:
        """Newest first."""
        found = [
            letter
            for letter in reversed(self._letters)
            if pipeline in (None, letter["pipeline"]) and reason in (None, letter["reason"])
        ]
        return found[:limit]


def _view(entry: Entry[DeadLetter]) -> dict[str, Any]:
    letter = entry.message
    cut = letter.value[:SHOWN_BYTES]
    try:
        body: dict[str, Any] = {"value": cut.decode()}
    except UnicodeDecodeError:
        body = {"value_base64": base64.b64encode(cut).decode()}
    return {
        **entry.place,
        "at": (letter.at or entry.at).isoformat(),
        "pipeline": letter.pipeline,
        "id": letter.id,
        "reason": letter.reason,
        "detail": letter.detail,
        "field": letter.field,
        "source": letter.source,
        "service": letter.service,
        "origin": {"topic": letter.topic, "partition": letter.partition, "offset": letter.offset},
        "bytes": len(letter.value),
        **body,
    }
