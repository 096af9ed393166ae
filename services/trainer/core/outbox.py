"""What MLflow has still to be told: an outbox that is emptied one version at a time and never hurries anyone."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from services.trainer.core.orders import Registration
from services.trainer.core.state import Outbox, Pipeline
from shared.identity import stable_id


def noted(outbox: Outbox, pipeline: str, version: str) -> Outbox:
    """The version (and with it the aliases of its pipeline) is to be told; told last where it was waiting already."""
    entry = (pipeline, version)
    head = outbox.waiting[:1] if outbox.job is not None else ()
    rest = tuple(each for each in outbox.waiting[len(head) :] if each != entry)
    return msgspec.structs.replace(outbox, waiting=(*head, *rest, entry))


def due(outbox: Outbox, now: datetime) -> bool:
    """Whether the next registration may start."""
    return bool(outbox.waiting) and outbox.job is None and (outbox.not_before is None or now >= outbox.not_before)


def started(outbox: Outbox) -> Outbox:
    """The first entry is being told; each try is a job of its own."""
    count = outbox.started + 1
    return msgspec.structs.replace(outbox, job=stable_id("register", *outbox.waiting[0], count), started=count)


def told(outbox: Outbox) -> Outbox:
    """The first entry is in MLflow."""
    return msgspec.structs.replace(outbox, waiting=outbox.waiting[1:], job=None, failures=0, not_before=None)


def failed(outbox: Outbox, now: datetime, *, pause: timedelta, longest: timedelta) -> Outbox:
    """The first entry goes to the end of the line, and nothing is tried for a pause that doubles each time."""
    wait = min(longest, pause * 2 ** min(outbox.failures, 20))
    return msgspec.structs.replace(
        outbox,
        waiting=(*outbox.waiting[1:], outbox.waiting[0]),
        job=None,
        failures=outbox.failures + 1,
        not_before=now + wait,
    )


def registration_of(pipeline: Pipeline, version: str) -> Registration:
    """The version as MLflow is told of it, with the aliases as they stand now."""
    releases = pipeline.releases
    aliases = {
        "champion": releases.champion,
        "challenger": None if releases.trial is None else releases.trial.version,
        "previous": releases.previous,
    }
    return Registration(
        pipeline=pipeline.name,
        version=version,
        candidate=releases.versions[version].candidate,
        specification=pipeline.specification or {},
        aliases=aliases,
    )
