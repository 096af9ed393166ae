"""One pipeline's closed loop in virtual time: rows and labels in, everything the services say out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from homeostat.simulation.assembly import Knobs, jobs_of, services_of, usual_seconds
from services.gateway.intake import content_id
from shared.bus.base import Record
from shared.bus.memory import MemoryBus
from shared.messages import PipelineDefined, RawRecord, Request
from shared.models.store import FileStore
from shared.pipeline.specification import Policy, Specification
from shared.runtime.memory import MemoryRuntime
from shared.service import Job
from shared.settings import CommonSettings
from shared.topics import PIPELINES, RAW_DATA, REQUESTS, Topic

M = TypeVar("M", bound=msgspec.Struct)
Row = Mapping[str, Any]

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = b"signs what a simulation trains"


class Simulation:
    """Ingest, predictor, monitor, remediator and trainer over the log in memory, under a virtual clock.

    `folder` takes artefacts and archived history; two simulations need two. `policies` are what the
    remediator falls back on (None: its own file); those of the specification go before, as they do
    live. `job_seconds` is the virtual time a job takes. A search ends by its trials: virtual time
    stands still while it runs. `knobs` are the services' own settings, `settings` those they share.
    """

    def __init__(
        self,
        specification: Specification,
        folder: Path,
        *,
        policies: Sequence[Policy] | None = None,
        knobs: Knobs | None = None,
        settings: CommonSettings | None = None,
        job_seconds: Callable[[Job], float] | None = None,
        start: datetime = START,
        bus: MemoryBus | None = None,
    ) -> None:
        self.specification = specification
        self.settings = settings or CommonSettings(bootstrap_servers="memory", data_dir=folder, signing_key=KEY)
        knobs = knobs or Knobs()
        if policies is not None:
            remediator = type(knobs.remediator)(policies=tuple(policies), limits=knobs.remediator.limits)
            knobs = Knobs(ingest=knobs.ingest, monitor=knobs.monitor, remediator=remediator, trainer=knobs.trainer)
        self.runtime = MemoryRuntime(
            services_of(knobs, FileStore(self.settings.data_dir / "artifacts"), self.settings.signing_key),
            jobs=jobs_of(),
            settings=self.settings,
            now=start,
            job_seconds=job_seconds or usual_seconds(),
            bus=bus,
        )
        self.define(specification)

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return self.runtime.now

    def define(self, specification: Specification, version: int = 1) -> None:
        """Makes the specification known to all services; a higher `version` replaces the one before."""
        self.specification = specification
        self.runtime.put(PIPELINES, definition_of(specification, version, self.now))
        self.runtime.run_until_idle()

    def put_rows(self, rows: Iterable[Row], *, source: str = "history") -> None:
        """Writes each row as an event, now. A row is a JSON object; the target, where it has one, is left out."""
        for row in rows:
            self.runtime.put(RAW_DATA, event_of(self.specification, row, source, self.now))

    def put_labels(self, labels: Iterable[tuple[str, Any]], *, source: str = "history") -> None:
        """Writes (id of the event, its truth) pairs, now. The last one for an id counts."""
        for id_, label in labels:
            self.runtime.put(RAW_DATA, label_of(self.specification, id_, label, source, self.now))

    def ask(self, action: str, arguments: Mapping[str, Any], *, issued_by: str = "person:simulated") -> None:
        """A person's request, as `POST /v1/pipelines/{p}/<action>` would make it."""
        self.runtime.put(
            REQUESTS,
            Request(
                id=f"request-{self.now.isoformat()}",
                pipeline=self.specification.name,
                action=action,
                issued_by=issued_by,
                at=self.now,
                arguments=dict(arguments),
            ),
        )

    def advance(self, seconds: float, *, by: float | None = None) -> None:
        """Lets virtual time pass, with a tick every `by` seconds (default: the settings' `tick_seconds`)."""
        self.runtime.advance(seconds, by=by)

    def messages(self, topic: Topic[M]) -> list[M]:
        """Every message of the topic so far, in the order written."""
        return self.runtime.messages(topic)

    def records(self, topic: Topic[Any]) -> list[Record]:
        """Every record of the topic so far, in the order written: its bytes, its place and its headers."""
        return self.runtime.records(topic)


def definition_of(specification: Specification, version: int, now: datetime) -> PipelineDefined:
    """The specification as the gateway announces it."""
    return PipelineDefined(
        pipeline=specification.name,
        version=version,
        digest=specification.digest,
        specification=specification.canonical,
        at=now,
        issued_by="simulation",
    )


def id_of(specification: Specification, row: Row) -> str:
    """The id under which the gateway would take this row in."""
    given = row.get(specification.id) if specification.id is not None else None
    given = row.get("id") if given is None else given
    return content_id(specification.name, _event(specification, row)) if given is None else str(given)


def event_of(specification: Specification, row: Row, source: str, now: datetime) -> RawRecord:
    """The row as an event on `raw-data`, without its target."""
    id_ = id_of(specification, row)
    key = row.get(specification.key) if specification.key is not None else None
    return RawRecord(
        pipeline=specification.name,
        id=id_,
        entity=id_ if key is None else str(key),
        source=source,
        values=_event(specification, row),
        received_at=now,
    )


def label_of(specification: Specification, id_: str, label: Any, source: str, now: datetime) -> RawRecord:
    """A label on `raw-data`."""
    return RawRecord(
        pipeline=specification.name, id=id_, entity=id_, source=source, kind="label", label=label, received_at=now
    )


def _event(specification: Specification, row: Row) -> dict[str, Any]:
    without = {specification.target} | (set() if "id" in specification.fields else {"id"})
    return {name: value for name, value in row.items() if name not in without}
