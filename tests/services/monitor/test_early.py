"""A specification and the first rows travel on different topics: either may be read first."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.monitor.core.early import PATIENCE
from services.monitor.service import Monitor
from shared.messages import Features, Label, Metrics, PipelineDefined, Prediction
from shared.pipeline.specification import Specification
from shared.service import Batch, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = 700
SPEC = Specification.model_validate(
    {"name": "p", "kind": "binary", "schema": {"x": {"type": "number"}, "y": {"type": "integer"}}, "target": "y"}
)


def features() -> Batch[Features]:
    made = [
        Features(
            pipeline="p", id=str(i), entity=str(i), source="s", at=NOW, values={"x": i % 7}, raw={"x": i % 7},
            origin=(0, i), definition=SPEC.definition,
        )
        for i in range(ROWS)
    ]  # fmt: skip
    return Batch("features", 0, range(ROWS), made)


def predictions() -> Batch[Prediction]:
    made = [
        Prediction(pipeline="p", id=str(i), entity=str(i), at=NOW, prediction=None, model_version="", role="none")
        for i in range(ROWS)
    ]
    return Batch("predictions", 0, range(ROWS), made)


def labels() -> Batch[Label]:
    return Batch("labels", 0, range(ROWS), [Label(pipeline="p", id=str(i), label=i % 2) for i in range(ROWS)])


def defined(monitor: Monitor, now: datetime) -> Step:
    message = PipelineDefined(
        pipeline="p", version=1, digest=SPEC.digest, specification=SPEC.canonical, at=NOW, issued_by="person:x"
    )
    return monitor.on_pipelines(Batch("pipelines", 0, [0], [message]), now)


def seen(monitor: Monitor, now: datetime) -> tuple[int, int]:
    told = [out.message for out in monitor.on_tick(now).messages]
    metrics = [message for message in told if isinstance(message, Metrics) and message.pipeline == "p"]
    return (metrics[-1].rows_seen, metrics[-1].labelled_seen) if metrics else (0, 0)


def test_records_read_before_their_specification_count_as_if_they_had_come_after_it() -> None:
    monitor = Monitor()
    monitor.on_features(features(), NOW)
    monitor.on_predictions(predictions(), NOW)
    monitor.on_labels(labels(), NOW)

    defined(monitor, NOW)

    assert seen(monitor, NOW + timedelta(seconds=1)) == (ROWS, ROWS)


def test_records_that_wait_survive_a_restart() -> None:
    before, after = Monitor(), Monitor()
    before.on_features(features(), NOW)
    before.on_predictions(predictions(), NOW)
    before.on_labels(labels(), NOW)

    after.restore(before.save())
    defined(after, NOW)

    assert seen(after, NOW + timedelta(seconds=1)) == (ROWS, ROWS)


def test_records_of_a_pipeline_that_nobody_defines_are_let_go() -> None:
    monitor = Monitor()
    monitor.on_features(features(), NOW)
    late = NOW + PATIENCE + timedelta(seconds=1)
    monitor.on_tick(late)

    defined(monitor, late)

    assert seen(monitor, late + timedelta(seconds=1))[0] == 0
