"""What is known of one pipeline: rows seen, performance by window, versions, what is in force."""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from shared.messages import Metrics, ModelPublished
from shared.pipeline.origins import needed
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification

KEPT_READINGS = 80
KEPT_REIGNS = 30
KEPT_SPENT = 300
KEPT_STAGES = 200

LOWER_IS_BETTER = frozenset(
    {"mae", "mse", "rmse", "mape", "log_loss", "logloss", "brier", "ece", "error", "error_rate", "loss", "lag"}
)


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One window of measured or estimated performance, as last revised."""

    family: str
    index: int
    revision: int
    first_row: int
    last_row: int
    rows: int
    values: dict[str, float]
    by_version: dict[str, dict[str, float]] = {}
    model_version: str = ""


class Reign(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version became champion when `since_row` rows had been seen, by `command`, which was to `action`.

    `trained_until` maps features partition to the offset at which its training rows end.
    """

    version: str
    since_row: int
    command: str = ""
    action: str = ""
    trained_until: dict[str, int] = {}


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """One action taken under a policy: what budgets and cool-downs are counted from."""

    policy: str
    action: str
    at: datetime
    row: int
    incident: str


class Hold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Since when learning is on hold, by whose order, and in which incident."""

    since: datetime
    incident: str
    by: str
    why: str = ""

    @property
    def of_a_person(self) -> bool:
        return self.by.startswith("person:")


class Knowledge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One pipeline. `reigns` are its champions in order, the last one answers now.

    `condemned` versions were rolled back from as bad and are never returned to. `quarantined` maps a
    source to the fields withheld from it. `hold` tells of a hold on learning, where it is known.
    `stages` are as published; ``replaced`` was champion before. `trained_at` and `trained_labelled` tell
    when a training was last ordered, or a first model came; `trained_rows` how many rows the live version
    learned from (0: unknown). `training_took` is from the last order to its answer, `upkeep_missed` how
    many trainings without trouble came to nothing since one did not.
    """

    pipeline: str
    specification: dict[str, object] | None = None
    specification_version: int = 0
    rows_seen: int = 0
    labelled_seen: int = 0
    readings: tuple[Reading, ...] = ()
    reigns: tuple[Reign, ...] = ()
    stages: dict[str, str] = {}
    condemned: tuple[str, ...] = ()
    replicas: dict[str, int] = {}
    quarantined: dict[str, tuple[str, ...]] = {}
    held: bool = False
    hold: Hold | None = None
    spent: tuple[Spent, ...] = ()
    trained_at: datetime | None = None
    trained_labelled: int = 0
    trained_rows: int = 0
    training_took: timedelta = timedelta(0)
    upkeep_missed: int = 0

    @property
    def live(self) -> str | None:
        """The champion, or None before the first model."""
        return self.reigns[-1].version if self.reigns else None

    @property
    def former(self) -> tuple[str, ...]:
        """The champions before the live one that were not found bad, the newest first."""
        versions = dict.fromkeys(reign.version for reign in reversed(self.reigns))
        return tuple(v for v in versions if v != self.live and v not in self.condemned)

    @property
    def earlier(self) -> str | None:
        """The newest champion before the live one that was not found bad, or None."""
        return next(iter(self.former), None)

    @property
    def below(self) -> str | None:
        """Where one more rollback goes: the newest version below the live one that was not found bad, or None.

        Champions form a stack, as the trainer has it: one that is gone back to leaves none above it.
        """
        stack: list[str] = []
        for reign in self.reigns:
            gone_back = reign.action in ("rollback", "") and reign.version in stack
            stack = stack[: stack.index(reign.version)] if gone_back else [v for v in stack if v != reign.version]
            stack.append(reign.version)
        return next((version for version in reversed(stack[:-1]) if version not in self.condemned), None)


def replaced_by(known: Knowledge, version: str) -> str | None:
    """The champion that `version` took over from when it last became one, or None where that is not known."""
    reigns = known.reigns
    return next((a.version for a, b in zip(reigns[-2::-1], reigns[:0:-1], strict=True) if b.version == version), None)


def measured(known: Knowledge, metrics: Metrics) -> Knowledge:
    """With one more window: totals only grow, and a higher revision replaces a lower one."""
    known = msgspec.structs.replace(
        known,
        rows_seen=max(known.rows_seen, metrics.rows_seen),
        labelled_seen=max(known.labelled_seen, metrics.labelled_seen),
    )
    if metrics.family not in ("performance", "estimate"):
        return known
    window = metrics.window
    new = Reading(
        family=metrics.family,
        index=window.index,
        revision=metrics.revision,
        first_row=window.first_row,
        last_row=window.last_row,
        rows=window.rows,
        values=_finite(metrics.values),
        by_version={version: _finite(values) for version, values in metrics.by_version.items()},
        model_version=metrics.model_version,
    )
    same = next((r for r in known.readings if r.index == new.index and r.family == new.family), None)
    if same is not None and same.revision > new.revision:
        return known
    readings = [r for r in known.readings if r is not same]
    insort(readings, new, key=lambda r: (r.last_row, r.family, r.index))
    return msgspec.structs.replace(known, readings=tuple(readings[-KEPT_READINGS:]))


def published(known: Knowledge, message: ModelPublished, action: str = "") -> Knowledge:
    """With the stage that a version took, by an order to `action` where there was one. A champion
    published again begins no new reign.
    """
    stages = {version: stage for version, stage in known.stages.items() if version != message.version}
    stages[message.version] = message.stage
    reigns = known.reigns
    if message.stage == "champion" and known.live != message.version:
        if known.live is not None:
            stages[known.live] = "replaced"
        command = message.command or ""
        until = {partition: end for partition, (_, end) in sorted(message.lineage.features_ranges.items())}
        reign = Reign(
            version=message.version, since_row=known.rows_seen, command=command, action=action, trained_until=until
        )
        reigns = (*reigns, reign)[-KEPT_REIGNS:]
        known = msgspec.structs.replace(known, trained_rows=message.lineage.rows, upkeep_missed=0)
    newest = list(stages)[-KEPT_STAGES:]
    return msgspec.structs.replace(
        known,
        stages={version: stages[version] for version in newest},
        reigns=reigns,
        condemned=tuple(version for version in known.condemned if version in newest),
    )


def training_ordered(known: Knowledge, now: datetime) -> Knowledge:
    """A training begins now, or a first model has come."""
    return msgspec.structs.replace(known, trained_at=now, trained_labelled=known.labelled_seen)


def training_ended(known: Knowledge, now: datetime) -> Knowledge:
    """The answer to the last training ordered."""
    took = timedelta(0) if known.trained_at is None else now - known.trained_at
    return msgspec.structs.replace(known, training_took=took)


def trained_on(known: Knowledge, version: str, since: Mapping[str, int]) -> bool:
    """Whether `version` learned from rows at or after these features offsets. Unknown offsets: taken to be so."""
    ends = next((reign.trained_until for reign in reversed(known.reigns) if reign.version == version), None)
    return not since or ends is None or any(ends.get(partition, 0) > start for partition, start in since.items())


def with_spent(known: Knowledge, spent: Spent) -> Knowledge:
    """With one more action counted."""
    return msgspec.structs.replace(known, spent=(*known.spent, spent)[-KEPT_SPENT:])


def withheld_inputs(known: Knowledge, specification: Specification | None) -> dict[str, tuple[str, ...]]:
    """By source, the fields in quarantine that an input of the model is made of: nothing is trained meanwhile."""
    if specification is None:
        return known.quarantined
    found = {source: needed(fields, specification) for source, fields in known.quarantined.items()}
    return {source: fields for source, fields in found.items() if fields}


def condemning(known: Knowledge, version: str) -> Knowledge:
    """With a version that was found bad."""
    return msgspec.structs.replace(known, condemned=tuple(sorted({*known.condemned, version})))


def acquitting(known: Knowledge, version: str | None) -> Knowledge:
    """Without a version that was found bad, and is not."""
    return msgspec.structs.replace(known, condemned=tuple(one for one in known.condemned if one != version))


def in_force(known: Knowledge, action: str, arguments: dict[str, object], hold: Hold) -> Knowledge:
    """With the lasting effect of a command that succeeded; `hold` is what it would be a hold of.

    A policy's hold does not take the place of a person's: it must not end it either.
    """
    if action == "release_hold":
        return msgspec.structs.replace(known, held=False, hold=None)
    if action == "hold":
        stays = known.hold is not None and known.hold.of_a_person and not hold.of_a_person
        return msgspec.structs.replace(known, held=True, hold=known.hold if stays else hold)
    if action == "scale_service":
        replicas = {**known.replicas, str(arguments.get("service")): int(str(arguments.get("replicas", 1)))}
        return msgspec.structs.replace(known, replicas=replicas)
    if action not in ("quarantine_source", "release_source"):
        return known
    source, fields = str(arguments.get("source")), fields_in(arguments)
    now = [f for f in known.quarantined.get(source, ()) if f not in fields]
    now += fields if action == "quarantine_source" else []
    quarantined = {**known.quarantined, source: tuple(sorted(now))}
    return msgspec.structs.replace(known, quarantined={s: f for s, f in quarantined.items() if f})


def fields_in(arguments: dict[str, object]) -> list[str]:
    """The fields a command names; one that names none gives none."""
    fields = arguments.get("fields")
    return [str(field) for field in fields] if isinstance(fields, list | tuple) else []


def elapsed(span: Span, since: datetime, since_row: int, now: datetime, row: int) -> bool:
    """Whether `span` has passed since that time and row."""
    if span.time is not None:
        return now - since >= span.time
    return row - since_row >= (span.rows or 0)


def direction(metric: str) -> Literal["up", "down"]:
    """``up`` where more of `metric` is better, ``down`` where less is.

    >>> direction("performance.accuracy"), direction("mae")
    ('up', 'down')
    """
    return "down" if metric.rsplit(".", 1)[-1] in LOWER_IS_BETTER else "up"


def better(metric: str, value: float, than: float) -> bool:
    """Whether `value` is strictly better than `than` in this metric."""
    return value > than if direction(metric) == "up" else value < than


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None and math.isfinite(value)}
