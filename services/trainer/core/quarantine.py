"""Stretches of the stream that no model is trained on, because a field of a source was not to be trusted there."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

KEPT_ENDED = 200
"""Ended stretches that are remembered: trainings look at the newest rows."""


ANY_SOURCE = "*"
"""As ingest has it: a quarantine of every source."""


class Quarantine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A stretch of features that no model is trained on. `until` None: it has no end yet. `command` opened it."""

    source: str
    fields: tuple[str, ...]
    since: dict[str, int]
    until: dict[str, int] | None = None
    command: str = ""


Stretches = tuple[Quarantine, ...]


def with_opened(stretches: Stretches, opened: Quarantine) -> Stretches:
    """With one more, unless it has no fields. The oldest that have ended are forgotten."""
    if not opened.fields:
        return stretches
    ended = [each for each in stretches if each.until is not None]
    forgotten = ended[: max(0, len(ended) - KEPT_ENDED)]
    return (*(each for each in stretches if each not in forgotten), opened)


def without_refused(stretches: Stretches, command: str) -> Stretches:
    """Without what `command` opened: nothing was withheld after all."""
    return tuple(each for each in stretches if each.command != command)


def ended(stretches: Stretches, source: str, fields: Sequence[str], until: dict[str, int]) -> Stretches:
    """Those of `source` end where all their fields are among `fields`, however these were withheld; of the others
    the rest of their fields stays.
    """
    found = []
    for each in stretches:
        rest = tuple(name for name in each.fields if name not in fields)
        if each.until is not None or each.source != source or rest == each.fields:
            found.append(each)
        elif rest:
            found.append(msgspec.structs.replace(each, fields=rest))
        else:
            found.append(msgspec.structs.replace(each, until=until))
    return tuple(found)
