"""A pipeline that is removed, or becomes one of another kind, leaves no alert behind that fires for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from services.monitor.service import Monitor
from shared.messages import Alert, PipelineDefined
from shared.pipeline.specification import Specification
from shared.service import Batch
from tests.services.monitor.conftest import START, specification

Make = Callable[..., Any]


def defined(spec: Specification, *, removed: bool = False) -> Batch[PipelineDefined]:
    message = PipelineDefined(
        pipeline=spec.name, version=2, digest=spec.digest, specification=spec.canonical, at=START,
        issued_by="person:test", removed=removed,
    )  # fmt: skip
    return Batch("pipelines", 0, [1], [message])


def tell(s: Any, batch: Batch[PipelineDefined]) -> list[Alert]:
    """The alerts told when the monitor reads this."""
    before = len(s.said)
    s.take(s.monitor.on_pipelines(batch, s.now))
    return [message for _, message in s.said[before:] if isinstance(message, Alert)]


def in_trouble(stream: Make) -> tuple[Any, Alert]:
    s = stream(warm=2000)
    s.run(400, change=lambda row: row | {"price": row["price"] * 1000})
    ((_, alert),) = s.alerts("data_quality")
    return s, alert


def test_alerts_of_a_removed_pipeline_are_resolved(stream: Make) -> None:
    s, alert = in_trouble(stream)

    (last,) = tell(s, defined(s.spec, removed=True))

    assert (last.id, last.state, last.summary) == (alert.id, "resolved", "the pipeline was removed")
    assert [name for name, _ in s.monitor.gauges()] == []


def test_alerts_of_a_pipeline_that_changes_its_kind_are_resolved(stream: Make) -> None:
    s, alert = in_trouble(stream)

    (last,) = tell(s, defined(specification(kind="multiclass")))

    assert (last.id, last.state) == (alert.id, "resolved")


def test_a_firing_after_the_end_is_another_one_also_after_a_restart(stream: Make) -> None:
    s, alert = in_trouble(stream)
    tell(s, defined(s.spec, removed=True))
    s.monitor, before = Monitor(), s.monitor
    s.monitor.restore(before.save())
    tell(s, defined(s.spec))
    s.run(2000)

    s.run(400, change=lambda row: row | {"price": row["price"] * 1000})

    again = s.alerts("data_quality", state="firing")[-1][1]
    assert again.fingerprint == alert.fingerprint
    assert again.id != alert.id
