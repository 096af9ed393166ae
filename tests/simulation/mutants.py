"""Services and logs that break one promise each: what an invariant must catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from homeostat.simulation.ground import FailingBus, FailingStore, _Reader, _Transaction
from homeostat.simulation.injector import TopicPartition
from homeostat.simulation.simulation import KEY
from homeostat.simulation.world import knobs
from services.ingest.core.duplicates import Generation, Seen, Verdict
from services.ingest.core.quarantine import Quarantine
from services.ingest.core.waiting import Waiting, WaitingRoom
from services.monitor.core.join import Join
from services.predictor.board import Board
from services.predictor.service import Predictor
from services.remediator.service import Remediator
from services.trainer.core.orders import Judged, typed
from services.trainer.core.state import Work, overtaken
from services.trainer.service import Trainer
from shared.bus.base import NewRecord, Position
from shared.bus.memory import MemoryProducer, MemoryTransaction
from shared.messages import Artifact, Features, Label, ModelPublished
from shared.models.artifact import ModelCache
from shared.models.base import Model
from shared.models.signing import signature_of
from shared.models.store import ArtifactStore
from shared.runtime.host import Make
from shared.runtime.task import Task
from shared.runtime.tasks import RULES
from shared.service import NOTHING, Batch, Job, JobResult, Step
from shared.state import pack, unpack
from shared.topics import STEPS, TELEMETRY, Out

Arguments = tuple[Any, ...]
Services = dict[str, Make]


class Mutant:
    """A service with something done to what its handlers are given, to what they return, or to its state."""

    def __init__(
        self,
        inner: Any,
        given: Callable[[str, Arguments], Arguments] | None = None,
        said: Callable[[str, Step], Step] | None = None,
        saved: Callable[[bytes], bytes] | None = None,
        restored: Callable[[Any], None] | None = None,
        before: Callable[[Any], None] | None = None,
    ) -> None:
        self.inner = inner
        self._given = given or (lambda _, arguments: arguments)
        self._said = said or (lambda _, step: step)
        self._saved = saved or (lambda state: state)
        self._restored = restored or (lambda _: None)
        self._before = before or (lambda _: None)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not name.startswith("on_"):
            return found
        return lambda *arguments: self._called(name, found, self._given(name, arguments))

    def _called(self, name: str, handler: Callable[..., Step], arguments: Arguments) -> Step:
        self._before(self.inner)
        nothing_left = isinstance(arguments[0], Batch) and not len(arguments[0])
        return NOTHING if nothing_left else self._said(name, handler(*arguments))

    def save(self) -> bytes:
        return self._saved(self.inner.save())

    def restore(self, state: bytes) -> None:
        self.inner.restore(state)
        self._restored(self.inner)


def mutated(service: str, **how: Any) -> Callable[[Services], Services]:
    """The services with this one replaced by its mutant."""

    def change(services: Services) -> Services:
        make = services[service]
        return {**services, service: lambda task: Mutant(make(task), **how)}  # type: ignore[dict-item]

    return change


def each(handler: str, of: Callable[[list[Out]], list[Out]]) -> Callable[[str, Step], Step]:
    """Does something to the messages of one handler."""
    return lambda name, step: Step(of(step.messages), step.jobs) if name == handler else step


def messages(kind: type, of: Callable[[Any], Any]) -> Callable[[str, Step], Step]:
    """Does something to each message of one kind; None takes it away."""

    def said(_: str, step: Step) -> Step:
        found = [(out, of(out.message) if isinstance(out.message, kind) else out.message) for out in step.messages]
        return Step([Out(out.topic, message, out.trace) for out, message in found if message is not None], step.jobs)

    return said


def without(handler: str, of: Callable[[Any], bool]) -> Callable[[str, Arguments], Arguments]:
    """Keeps messages from a handler."""

    def given(name: str, arguments: Arguments) -> Arguments:
        if name != handler:
            return arguments
        batch, now = arguments
        kept = [index for index, message in enumerate(batch.messages) if not of(message)]
        return _picked(batch, kept), now

    return given


def _picked(batch: Batch[Any], kept: Sequence[int]) -> Batch[Any]:
    def pick(values: Sequence[Any]) -> list[Any]:
        return [values[index] for index in kept] if values else []

    return Batch(
        batch.topic,
        batch.partition,
        pick(batch.offsets),
        pick(batch.messages),
        pick(batch.values),
        pick(batch.traces),
    )


def forgetting(*path: str) -> Callable[[bytes], bytes]:
    """Snapshots without what lies there; ``*`` stands for every name."""

    def saved(state: bytes) -> bytes:
        form = msgspec.json if state.startswith(b"{") else msgspec.msgpack
        kept = form.decode(state)
        _drop(kept, path)
        return form.encode(kept)

    return saved


def _drop(state: Any, path: Sequence[str]) -> None:
    name, rest = path[0], path[1:]
    if not rest:
        state.pop(name, None)
        return
    for each in state if name == "*" else {name} & state.keys():
        _drop(state[each], rest)


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


def patient(name: str, arguments: Arguments) -> Arguments:
    """A trainer that takes up every order, however late it is."""
    if name != "on_commands":
        return arguments
    batch, now = arguments
    later = [msgspec.structs.replace(one, deadline=one.deadline + timedelta(hours=1)) for one in batch.messages]
    return Batch(batch.topic, batch.partition, batch.offsets, later, batch.values, batch.traces), now


def unhindered(name: str, step: Step) -> Step:
    """A trainer whose orders leave nothing out."""
    return Step(step.messages, [replace(job, arguments=_with_every_row(job.arguments)) for job in step.jobs])


def _with_every_row(arguments: dict[str, Any]) -> dict[str, Any]:
    rows = arguments.get("rows")
    return {**arguments, "rows": {**rows, "excluded": []}} if isinstance(rows, dict) else arguments


def forgets_jobs(services: Services) -> Services:
    """A trainer that, started anew, does not say at first what it waits for."""

    class Forgetting(Mutant):
        asked = False

        def pending_jobs(self) -> list[Job]:
            found: list[Job] = self.inner.pending_jobs() if self.asked else []
            self.asked = True
            return found

    return {**services, "trainer": lambda task: Forgetting(services["trainer"](task))}  # type: ignore[dict-item]


def deaf(name: str) -> Callable[[Services], Services]:
    """The service's clock never strikes."""

    class Deaf(Mutant):
        def on_tick(self, now: object) -> Step:
            return NOTHING

    return lambda services: {**services, name: lambda task: Deaf(services[name](task))}  # type: ignore[dict-item]


class Careless(Trainer):
    """Releases what was made whatever became known meanwhile, and takes any definition for the right one."""

    def _worked(self, name: str, work: Work, result: JobResult, now: datetime) -> Step:
        pipeline, specification = self._state.pipelines[name], self._specification(name)
        judged = None if result.result is None else typed(result.result, Judged)
        if judged is None or judged.candidate is None or specification is None or overtaken(pipeline, work):
            return super()._worked(name, work, result, now)
        return self._made(pipeline, work, judged, judged.candidate, specification, now)


def careless(services: Services) -> Services:
    return {**services, "trainer": lambda _: Careless(knobs().trainer)}


class Unchecking(Predictor):
    """Loads a model and does not look whether it is what it was published as."""

    def _check(self, message: ModelPublished) -> None:
        self._models.get(message.artifact)


def unchecking(services: Services) -> Services:
    def make(task: Task) -> Predictor:
        usual: Any = services["predictor"](task)
        return Unchecking(task.partition, usual._models, Board())

    return {**services, "predictor": make}


def unasked(services: Services) -> Services:
    """A remediator that waits for no approval."""
    return {**services, "remediator": lambda _: Remediator(knobs(approvals=False).remediator)}


class Gullible:
    """A cache of models that takes anybody's signature."""

    def __init__(self, store: ArtifactStore) -> None:
        self._models = ModelCache(store, KEY)

    def get(self, artifact: Artifact) -> Model:
        return self._models.get(msgspec.structs.replace(artifact, signature=signature_of(artifact.sha256, KEY)))


def unsigned(services: Services, store: ArtifactStore) -> Services:
    """A trainer that signs with another key, and predictors that do not look."""
    forged = messages_forged()
    models: Any = Gullible(store)
    return {
        **mutated("trainer", said=forged)(services),
        "predictor": lambda task: Predictor(task.partition, models, Board()),
    }


def messages_forged() -> Callable[[str, Step], Step]:
    def forged(release: ModelPublished) -> ModelPublished:
        return msgspec.structs.replace(release, artifact=msgspec.structs.replace(release.artifact, signature="0" * 64))

    return messages(ModelPublished, forged)


class ForgetsEnds(FailingStore):
    """Snapshots without the jobs that have ended."""

    def save(self, name: str, data: bytes) -> None:
        super().save(name, pack(msgspec.structs.replace(unpack(data), ended_jobs=())))


class HastyBus(FailingBus):
    """Says of every topic of rules that nothing is there to be read first."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.readers = _Hasty


class _Hasty(_Reader):
    def written_offsets(self, topic: str) -> dict[int, int]:
        return {0: 0} if topic in {one.name for one in RULES} else super().written_offsets(topic)


class EarlyBus(FailingBus):
    """Commits offsets and the journal first and outputs after, so that a kill between the two loses them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transactions = _Early


class _Early(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        MemoryTransaction.commit(self, [one for one in records if one.topic == STEPS.name], offsets)
        super().commit([one for one in records if one.topic != STEPS.name], offsets)


class LosingBus(FailingBus):
    """Takes a client's records and loses every hundredth."""

    def producer(self, client_id: str) -> MemoryProducer:
        return _Losing(self)


class _Losing(MemoryProducer):
    _sent = 0

    def send(self, records: Sequence[NewRecord], timeout: float) -> list[Position]:
        self._sent += 1
        return [] if self._sent % 100 == 0 else super().send(records, timeout)


class ForgetfulBus(FailingBus):
    """Commits outputs and now and then not the offsets that belong to them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transactions = _Forgetful


class _Forgetful(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        behind = 1 if self.service == "monitor" else 0
        super().commit(records, {at: max(0, offset - behind) for at, offset in offsets.items()})


class JournallessBus(FailingBus):
    """Now and then loses the journal's entry of a step."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transactions = _Journalless


class _Journalless(_Transaction):
    _commits = 0

    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        self._commits += 1
        lost = self._commits % 20 == 0
        super().commit([one for one in records if not (lost and one.topic == STEPS.name)], offsets)


class SilentBus(FailingBus):
    """Loses every pulse."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transactions = _Silent


class _Silent(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        super().commit([one for one in records if one.topic != TELEMETRY.name], offsets)


class UnfencedBus(FailingBus):
    """Takes the commits of a process whose place another has taken."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.transactions = _Unfenced


class _Unfenced(_Transaction):
    def commit(self, records: Sequence[NewRecord], offsets: Mapping[TopicPartition, int]) -> None:
        self._bus.injector.point("committing", self.service)
        with self._bus._changed:
            self._bus._append(records, marker=True)
            self._state().committed.update(offsets)
