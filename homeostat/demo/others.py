"""Which rows another incident has to answer for: its version gave the answers there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homeostat.demo.watcher import Seen
from shared.messages import ModelPublished


@dataclass(frozen=True, slots=True)
class Others:
    """`answered`: by row, the version that answered. `made`: by version, the incident it was first live for, and when.

    Seconds are monotonic ones; a version that was live for no incident has "".
    """

    answered: Mapping[int, str] = field(default_factory=dict)
    made: Mapping[str, tuple[str, float]] = field(default_factory=dict)

    def at(self, row: int, incident: str, since: float) -> str:
        """The version that answered `row`, if it went live for the first time after second `since`, and for another
        incident than this; else "".
        """
        version = self.answered.get(row, "")
        owner, second = self.made.get(version, (incident, since))
        return version if owner != incident and second > since else ""


def made_of(events: Sequence[Seen]) -> dict[str, tuple[str, float]]:
    """By version, for which incident and at which second it was first published."""
    made: dict[str, tuple[str, float]] = {}
    for seen in events:
        if isinstance(seen.message, ModelPublished):
            made.setdefault(seen.message.version, (seen.message.incident or "", seen.second))
    return made
