"""All that ingest remembers, in the form in which it is saved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.ingest.core.duplicates import Seen
from services.ingest.core.features import FeaturePlan
from services.ingest.core.intake import Counts, Intake
from services.ingest.core.quarantine import Quarantine
from services.ingest.core.waiting import Waiting
from shared.messages import Value
from shared.pipeline.contract import Contract
from shared.pipeline.specification import Specification


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one task may remember of one pipeline."""

    remembered_ids: int
    most_keys: int
    most_tail_values: int

    def keys_of(self, values_per_key: int) -> int:
        """How many keys may be remembered when each takes this many values.

        >>> Bounds(remembered_ids=1, most_keys=1000, most_tail_values=4800).keys_of(48)
        100
        """
        return max(1, min(self.most_keys, self.most_tail_values // max(1, values_per_key)))


class SavedIntake(msgspec.Struct, frozen=True, kw_only=True):
    """One pipeline. `tails` has a list of columns per key, the key seen longest ago first."""

    specification: dict[str, object]
    version: int
    tails: list[tuple[str, list[list[Value]]]]
    seen: tuple[bytes, bytes]
    quarantine: dict[str, tuple[str, ...]]
    repeated: int
    extra_fields: int


class SavedState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole. `archive` is the archive's clockwork: runs so far, rows since, since when, and whether one runs."""

    pipelines: dict[str, SavedIntake]
    commands: list[str]
    waiting: list[Waiting]
    archive: tuple[int, int, datetime | None, bool]


def new_intake(specification: Specification, version: int, bounds: Bounds) -> Intake:
    """The pipeline before its first row."""
    plan = FeaturePlan(specification)
    return Intake(
        specification=specification,
        version=version,
        contract=Contract(specification),
        plan=plan,
        tails=plan.tails(bounds.keys_of(plan.values_per_key)),
        seen=Seen(bounds.remembered_ids),
    )


def revised(old: Intake, specification: Specification, version: int, bounds: Bounds) -> Intake:
    """The pipeline under a newer specification: ids, counts and quarantine stay, and windows where they still fit."""
    new = new_intake(specification, version, bounds)
    new.seen, new.counts, new.quarantine = old.seen, old.counts, old.quarantine
    if new.plan.shape == old.plan.shape and specification.key == old.specification.key:
        new.tails = old.tails
    return new


def saved_intake(intake: Intake) -> SavedIntake:
    return SavedIntake(
        specification=intake.specification.canonical,
        version=intake.version,
        tails=intake.tails.saved(),
        seen=intake.seen.saved(),
        quarantine=intake.quarantine.fields,
        repeated=intake.counts.repeated,
        extra_fields=intake.counts.extra_fields,
    )


def restored_intake(saved: SavedIntake, bounds: Bounds) -> Intake:
    intake = new_intake(Specification.model_validate(saved.specification), saved.version, bounds)
    intake.tails.restored(saved.tails)
    intake.seen.restored(saved.seen)
    intake.quarantine = Quarantine(dict(saved.quarantine))
    intake.counts = Counts(saved.repeated, saved.extra_fields)
    return intake


def packed(state: SavedState) -> bytes:
    return msgspec.msgpack.encode(state)


def unpacked(data: bytes) -> SavedState:
    return msgspec.msgpack.decode(data, type=SavedState)


def newest(commands: Sequence[str], most: int = 1000) -> list[str]:
    """Commands are remembered so that one id acts once; the oldest are forgotten."""
    return list(commands[-most:])
