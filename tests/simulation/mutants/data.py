"""Ingests and monitors that tell rows and labels apart wrongly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from homeostat.simulation.run import Change
from services.ingest.core.duplicates import Generation, Seen, Verdict
from services.ingest.core.quarantine import Quarantine
from services.ingest.core.waiting import Waiting, WaitingRoom
from services.monitor.core.join import Join
from shared.messages import Alert, Features, Label, Metrics, PipelineDefined
from shared.service import Step
from tests.simulation.mutants.wrapper import Services, messages, mutated, without


class TakesConflicts(Seen):
    """Takes other values under a known id as a new row."""

    def verdict(self, id_: str, content: Mapping[str, object]) -> Verdict:
        found = super().verdict(id_, content)
        return "new" if found == "conflict" else found


class DropsConflicts(Seen):
    """Takes other values under a known id for the row that is there."""

    def verdict(self, id_: str, content: Mapping[str, object]) -> Verdict:
        found = super().verdict(id_, content)
        return "repeated" if found == "conflict" else found


class LastStands(Seen):
    """Refuses other values under a known id, and holds what follows against them."""

    def verdict(self, id_: str, content: Mapping[str, object]) -> Verdict:
        found = super().verdict(id_, content)
        if found == "conflict":
            self.older, self.younger = Generation(), Generation()
            super().verdict(id_, content)
        return found


def seeing(kind: type[Seen]) -> Callable[[Any], None]:
    """An ingest that tells rows apart in this way."""

    def before(ingest: Any) -> None:
        for intake in ingest._pipelines.values():
            if type(intake.seen) is not kind:
                intake.seen = kind(intake.seen.most, intake.seen.older, intake.seen.younger)

    return before


class KeepsWaiting(WaitingRoom):
    """Lets nobody in."""

    def known(self, pipeline: str) -> list[Waiting]:
        return []


def keeps_waiting(ingest: Any) -> None:
    """An ingest in whose waiting room rows stay until they are refused."""
    room = ingest._waiting
    if type(room) is not KeepsWaiting:
        ingest._waiting = KeepsWaiting(room._most, room._patience.total_seconds())
        ingest._waiting.rows = room.rows


class OfOneSource(Quarantine):
    """Does not know that some quarantines are for every source."""

    def withheld(self, source: str) -> tuple[str, ...]:
        return self.fields.get(source, ())


def of_one_source(ingest: Any) -> None:
    """An ingest with such quarantines."""
    for intake in ingest._pipelines.values():
        if type(intake.quarantine) is not OfOneSource:
            intake.quarantine = OfOneSource(intake.quarantine.fields)


def leaking(row: Features) -> Features:
    """Says that fields are withheld, and lets the model have them."""
    values = {name: row.raw[name] if name in row.withheld else value for name, value in row.values.items()}
    return msgspec.structs.replace(row, values=values)


class FirstWaits(Join):
    """Of two labels that come before their event, takes the first."""

    def wait(self, label: Label, partition: int, offset: int, now: float) -> None:
        if label.id not in self.waiting:
            super().wait(label, partition, offset, now)


def first_waits(monitor: Any) -> None:
    """A monitor with such a join."""
    for pipeline in monitor._state.pipelines.values():
        if type(pipeline.record.join) is not FirstWaits:
            was = pipeline.record.join
            pipeline.record.join = FirstWaits(**{name: getattr(was, name) for name in was.__struct_fields__})


def first_label_wins() -> Change:
    def change(services: Services) -> Services:
        seen: set[str] = set()

        def known(label: Any) -> bool:
            again = label.id in seen
            seen.add(label.id)
            return again

        return mutated("monitor", given=without("on_labels", known))(services)

    return change


def later_positions(metrics: Metrics) -> Metrics:
    window = metrics.window
    later = {partition: offset + 1 for partition, offset in window.positions.items()}
    return msgspec.structs.replace(metrics, window=msgspec.structs.replace(window, positions=later))


def lets_all_in(ingest: Any) -> None:
    for intake in ingest._pipelines.values():
        intake.quarantine = Quarantine()


def raises(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if name == "on_features" and any(message.id == "row-0300" for message in arguments[0].messages):
        raise ValueError("cannot take this row")
    return arguments


def is_revised(message: PipelineDefined) -> bool:
    return message.version > 1


def other_label(label: Label) -> Label:
    return msgspec.structs.replace(label, label=0 if label.label else 1)


def without_past(row: Features) -> Features:
    """What a lag says where nothing was remembered of the rows before."""
    return msgspec.structs.replace(row, values={**row.values, "heat_before": None})


def other_slices(metrics: Metrics) -> Metrics:
    """The figures of the whole window, for those of each slice."""
    return msgspec.structs.replace(metrics, by_slice=dict.fromkeys(metrics.by_slice, metrics.values))


def other_versions(metrics: Metrics) -> Metrics:
    """The figures of the whole window, for those of each version."""
    return msgspec.structs.replace(metrics, by_version=dict.fromkeys(metrics.by_version, metrics.values))


def never_over(alert: Alert) -> Alert | None:
    return None if alert.state == "resolved" else alert


def by_batch(name: str, step: Step) -> Step:
    if name != "on_raw_data":
        return step
    size = float(len(step.messages))
    return messages(Features, lambda row: msgspec.structs.replace(row, values={**row.values, "heat": size}))(name, step)
