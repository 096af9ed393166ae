"""The trainer's state, whole: what `save` writes and `restore` takes over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from services.trainer.core.orders import Order, Stretch
from services.trainer.core.quarantine import ANY_SOURCE, Quarantine
from services.trainer.core.releases import Candidate, Releases
from shared.messages import Command, CommandResult, Lineage, Metrics
from shared.pipeline.origins import remembered
from shared.pipeline.specification import Specification

HANDLED_KEPT = 5_000
"""Command ids remembered: a command repeated after so many others is past its deadline anyway."""


NOTED_KEPT = 1_000
"""The same for those that ingest answers, which remembers as many."""


class Work(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job that makes or judges a version. No `command`: it makes the first model.

    `spent`: seconds that went into earlier tries of the same order.
    """

    job: str
    name: str
    order: Order
    timeout_seconds: float
    command: Command | None = None
    spent: float = 0.0

    @property
    def judges(self) -> bool:
        """Whether it holds a model that someone brought against the champion: it waits for no training."""
        return self.name == "judge"


class Pipeline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One pipeline as the trainer knows it. `specification` None: it was removed.

    `work` is its one training or recalibration under way; `judging` goes on beside it.
    `rows_seen` and `labelled_seen` are the monitor's totals; `positions` the newest offsets it named.
    A first model is tried from `first_from_rows` on, not before `first_from`.
    """

    name: str
    specification: dict[str, Any] | None
    specification_version: int = 0
    releases: Releases = Releases()
    quarantines: tuple[Quarantine, ...] = ()
    work: Work | None = None
    judging: Work | None = None
    rows_seen: int = 0
    labelled_seen: int = 0
    positions: dict[str, int] = {}
    first_from_rows: int = 0
    first_from: datetime | None = None

    def rows_to_learn(self, kind: str) -> int:
        """The rows that count for a first model: labelled ones, or for anomalies all."""
        return self.rows_seen if kind == "anomaly" else self.labelled_seen

    @property
    def works(self) -> tuple[Work, ...]:
        """What is under way."""
        return tuple(each for each in (self.work, self.judging) if each is not None)

    @property
    def removed(self) -> bool:
        """Whether it was defined once, and is no more."""
        return self.specification is None and self.specification_version > 0

    @property
    def champion(self) -> Candidate | None:
        number = self.releases.champion
        return None if number is None else self.releases.versions[number].candidate


class Outbox(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What MLflow has still to be told: (pipeline, version) in order, and the job that tells the first of them."""

    waiting: tuple[tuple[str, str], ...] = ()
    job: str | None = None
    failures: int = 0
    not_before: datetime | None = None
    started: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`handled` maps command id to its newest result, oldest command first. `noted`: commands that ingest answers and
    that have had their effect here, oldest first.
    """

    pipelines: dict[str, Pipeline] = {}
    handled: dict[str, CommandResult] = {}
    noted: tuple[str, ...] = ()
    outbox: Outbox = Outbox()


def begun_anew(pipeline: Pipeline) -> Pipeline:
    """As it is after its removal: nothing is live and nothing counted, only its versions' numbers go on."""
    releases = Releases(versions=pipeline.releases.versions, numbered=pipeline.releases.numbered)
    return Pipeline(
        name=pipeline.name, specification=None, releases=releases, work=pipeline.work, judging=pipeline.judging
    )


def with_work(pipeline: Pipeline, work: Work) -> Pipeline:
    """The work is under way."""
    return msgspec.structs.replace(pipeline, **{"judging" if work.judges else "work": work})


def without_work(pipeline: Pipeline, work: Work) -> Pipeline:
    """The work has ended, or is not waited for any more."""
    slot = "judging" if pipeline.judging is not None and pipeline.judging.job == work.job else "work"
    return msgspec.structs.replace(pipeline, **{slot: None})


def expecting(pipeline: Pipeline, rows: int) -> Pipeline:
    """A first model is to come once so many rows are counted."""
    return msgspec.structs.replace(pipeline, first_from_rows=rows, first_from=None)


def counted(pipeline: Pipeline, metrics: Metrics) -> Pipeline:
    """With the monitor's totals and positions, which only grow."""
    known = pipeline.positions
    newest = known | {p: max(at, known.get(p, 0)) for p, at in sorted(metrics.window.positions.items())}
    return msgspec.structs.replace(
        pipeline,
        rows_seen=max(pipeline.rows_seen, metrics.rows_seen),
        labelled_seen=max(pipeline.labelled_seen, metrics.labelled_seen),
        positions=newest,
    )


def excluded_stretches(pipeline: Pipeline) -> tuple[Stretch, ...]:
    """The quarantined stretches: of all sources where a window or lag carries a field into the rows of others.

    >>> held = Quarantine(source="a", fields=("x",), since={"0": 5}, until={"0": 9})
    >>> excluded_stretches(Pipeline(name="p", specification=None, quarantines=(held,)))
    ((0, 5, 9, ''),)
    """
    if not pipeline.quarantines:
        return ()
    document = pipeline.specification
    spread = None if document is None else remembered(Specification.model_validate(document))
    return tuple(
        (
            int(partition),
            start,
            None if each.until is None else each.until.get(partition, start),
            each.source if spread is not None and each.source != ANY_SOURCE and spread.isdisjoint(each.fields) else "",
        )
        for each in pipeline.quarantines
        for partition, start in sorted(each.since.items())
    )


def quarantined_since(pipeline: Pipeline, lineage: Lineage) -> tuple[int, int] | None:
    """Where a quarantined stretch begins (partition, offset) that a version may have been trained on, because it
    became known only afterwards.
    """
    for partition, start, until, source in excluded_stretches(pipeline):
        first, end = lineage.features_ranges.get(str(partition), (0, 0))
        last = end if until is None else min(until, end)
        known = any(
            p == partition and a <= max(start, first) and b >= last and of in ("", source)
            for p, a, b, of in lineage.left_out
        )
        if max(start, first) < last and not known:
            return partition, start
    return None


def unfit(pipeline: Pipeline, work: Work, candidate: Candidate, definition: str) -> str:
    """Why the candidate cannot be released, by what became known while it was made; empty where it can."""
    if candidate.definition != definition:
        return "the version takes features of another definition than the specification has now"
    if _gives_way(work) and _another_answers(pipeline, work):
        return (
            f"version {pipeline.releases.champion} answers by now: what was to refresh the one before gives way to it"
        )
    bad = quarantined_since(pipeline, candidate.lineage)
    if bad is None:
        return ""
    return f"features {bad[0]} from offset {bad[1]} were quarantined while it was trained: not released"


def overtaken(pipeline: Pipeline, work: Work) -> bool:
    """Whether the work is to be done once more, against the champion that answers by now."""
    return _another_answers(pipeline, work) and not _gives_way(work)


def _another_answers(pipeline: Pipeline, work: Work) -> bool:
    """Whether the verdict on the work decides nothing any more, since it speaks of a champion that is none now.

    What was made while the pipeline is held is kept as it is: nothing begins, and nothing is released.
    """
    now, then = pipeline.champion, work.order.champion
    if now is None or work.order.forced or pipeline.releases.held:
        return False
    return then is None or now.artifact.sha256 != then.artifact.sha256


def _gives_way(work: Work) -> bool:
    return work.command is not None and work.command.arguments.get("gives_way") is True


def with_noted(state: State, command: str, changed: Pipeline | None = None) -> State:
    """With what the command makes of its pipeline: once, however often it comes."""
    if command in state.noted:
        return state
    pipelines = state.pipelines if changed is None else {**state.pipelines, changed.name: changed}
    return msgspec.structs.replace(state, pipelines=pipelines, noted=(*state.noted, command)[-NOTED_KEPT:])


def with_result(state: State, result: CommandResult) -> State:
    """Remembers the result as the command's newest."""
    handled = {**state.handled, result.command: result}
    for old in list(handled)[: max(0, len(handled) - HANDLED_KEPT)]:
        del handled[old]
    return msgspec.structs.replace(state, handled=handled)
