"""Spans as an OpenTelemetry collector takes them in, from services over the log in memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from shared.bus.base import NewRecord, Record
from shared.codec import encode
from shared.errors import Transient
from shared.messages import Features
from shared.runtime.memory import MemoryRuntime
from shared.settings import CommonSettings, common_settings
from shared.telemetry.otel import MOST_LINKS
from shared.telemetry.spans import NO_SPANS, Spans, spans_of
from shared.telemetry.tracing import Traces, parent_in
from shared.topics import COMMANDS, FEATURES, PREDICTIONS
from tests.shared.runtime.counting import JOBS, Counter, Worker, event, order
from tests.support.collector import Collector, attributes_of, collector
from tests.support.rules import ROOT

SETTINGS = CommonSettings(bootstrap_servers="memory", data_dir=Path("none"), data_partitions=1)
SERVICE = "homeostat.predictor"


@pytest.fixture(scope="module")
def taken() -> Iterator[Collector]:
    with collector() as listening:
        yield listening


class Told:
    """Services whose spans go to a collector; `told` sends what they have."""

    def __init__(self, taken: Collector, services: dict[str, Any], **options: Any) -> None:
        taken.taken.clear()
        self.taken = taken
        environ = {"KAFKA_BOOTSTRAP_SERVERS": "memory", "OTEL_EXPORTER_OTLP_ENDPOINT": taken.url}
        self.settings = replace(SETTINGS, traces_endpoint=common_settings(environ).traces_endpoint)
        self.made: list[Spans] = []
        self.runtime = MemoryRuntime(services, settings=self.settings, spans=self._spans, **options)

    def _spans(self, service: str) -> Spans:
        self.made.append(spans_of(service, self.settings))
        return self.made[-1]

    def put(self, message: Features, trace: str) -> None:
        record = NewRecord(FEATURES.name, b"", encode(message), (("traceparent", trace.encode()),))
        self.runtime.bus.producer("test").send([record], timeout=0.0)

    def told(self) -> Collector:
        self.runtime.run_until_idle()
        for spans in self.made:
            spans.close()
        return self.taken


def traces(count: int) -> list[str]:
    """Traceparents as the gateway makes them."""
    made = Traces("gateway/0/1")
    return [made.next(None).decode() for _ in range(count)]


def ids(span: Span) -> str:
    return f"{span.trace_id.hex()}-{span.span_id.hex()}"


def test_a_batch_is_told_with_what_it_was_and_what_was_done_with_it(taken: Collector) -> None:
    told, events = Told(taken, {"predictor": Counter}), traces(3)
    for number, trace in enumerate(events):
        told.put(event(number), trace)

    spans = told.told()

    (process,) = spans.spans("process features", SERVICE)
    (turn,), (handling,), (commit,) = (spans.spans(name) for name in ("turn", "on_features", "commit"))
    assert spans.paths == {"/v1/traces"}
    assert process.kind == Span.SPAN_KIND_CONSUMER
    assert attributes_of(process) == {
        "messaging.system": "kafka",
        "messaging.consumer.group.name": SERVICE,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": "features",
        "messaging.destination.partition.id": "0",
        "messaging.batch.message_count": 3,
        "homeostat.task": "predictor/0",
        "homeostat.first_offset": 0,
    }
    assert {f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in process.links} == {each[3:52] for each in events}
    assert [each.parent_span_id for each in (process, commit, handling)] == [
        turn.span_id,
        turn.span_id,
        process.span_id,
    ]
    assert attributes_of(commit)["messaging.batch.message_count"] >= 4, "three answers, and the journal's entry"


def test_what_is_made_of_an_event_is_told_in_its_trace_with_the_ids_that_the_record_carries(taken: Collector) -> None:
    told, (trace,) = Told(taken, {"predictor": Counter}), traces(1)
    told.put(event(1), trace)

    (made,) = told.told().spans("create predictions")

    (answer,) = told.runtime.records(PREDICTIONS)
    assert ids(made) == str(parent_in(answer.headers))[3:52]
    assert (made.trace_id.hex(), made.parent_span_id.hex()) == (trace[3:35], trace[36:52])
    assert made.kind == Span.SPAN_KIND_PRODUCER
    assert [link.span_id for link in made.links] == [taken.spans("turn")[0].span_id]


def test_of_many_events_few_are_followed_and_every_service_follows_the_same(taken: Collector) -> None:
    told, events = Told(taken, {}), traces(1000)
    for service, mixed in (("ingest", events), ("predictor", events[::-1])):
        spans = told._spans(service)
        records = [
            Record("features", 0, n, b"", b"", (("traceparent", one.encode()),), 0) for n, one in enumerate(mixed)
        ]
        with spans.turn(), spans.batch(f"{service}/0", "features", 0, records):
            pass

    first, second = told.told().spans("process features")

    followed = {link.trace_id for link in first.links}
    assert len(followed) == MOST_LINKS
    assert {link.trace_id for link in second.links} == followed


def test_a_handler_that_fails_is_told_with_its_error(taken: Collector) -> None:
    told = Told(taken, {"predictor": lambda task: Counter(task, {"1"})})
    told.put(event(1), traces(1)[0])

    spans = told.told()

    assert [span.status.code for span in spans.spans("process features")] == [Status.STATUS_CODE_ERROR]
    assert "1 cannot be answered now" in spans.spans("on_features")[0].status.message


def test_of_what_was_not_written_nothing_is_told_but_the_failure(taken: Collector) -> None:
    told = Told(taken, {})
    spans = told._spans("predictor")
    record = NewRecord("predictions", b"", b"", (("traceparent", traces(1)[0].encode()),))
    with pytest.raises(Transient, match="aborted"), spans.turn(), spans.commit([record]):
        raise Transient("aborted")

    told.told()

    assert taken.spans("create predictions") == []
    assert [span.status.code for span in taken.spans("commit")] == [Status.STATUS_CODE_ERROR]


def test_a_turn_without_records_is_not_told(taken: Collector) -> None:
    told = Told(taken, {"predictor": Counter})
    told.runtime.advance(30)

    assert told.told().taken == []


def test_a_job_is_told_with_its_time_and_its_error(taken: Collector) -> None:
    told = Told(taken, {"trainer": Worker}, jobs={"trainer": JOBS}, job_seconds=lambda _: 7.0)
    told.runtime.put(COMMANDS, order("good", "double", number=1))
    told.runtime.put(COMMANDS, order("bad", "fail"))
    told.runtime.advance(10)

    spans = told.told()

    (good,), (bad,) = spans.spans("job double"), spans.spans("job fail")
    assert good.end_time_unix_nano - good.start_time_unix_nano == 7_000_000_000
    assert attributes_of(good) == {"homeostat.task": "trainer", "homeostat.job": "good"}
    assert (bad.status.code, bad.status.message) == (Status.STATUS_CODE_ERROR, "ValueError: no such number")


def test_the_same_steps_give_the_same_records_with_spans_and_without(taken: Collector) -> None:
    plain, told = MemoryRuntime({"predictor": Counter}, settings=SETTINGS), Told(taken, {"predictor": Counter})
    for runtime in (plain, told.runtime):
        for number in range(50):
            runtime.put(FEATURES, event(number))
        runtime.advance(3)

    assert plain.records(PREDICTIONS) == told.runtime.records(PREDICTIONS)


def _python(*lines: str) -> str:
    command = [sys.executable, "-c", "\n".join(lines)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_without_an_endpoint_there_are_no_spans_and_opentelemetry_is_not_even_imported() -> None:
    loaded = _python(
        "import sys, services.predictor.__main__, shared.runtime.process",
        "print([name for name in sys.modules if name.startswith('opentelemetry')])",
    )

    assert spans_of("predictor", SETTINGS) is NO_SPANS
    assert loaded.strip() == "[]"


def test_an_endpoint_without_the_package_is_refused_with_what_to_install() -> None:
    said = _python(
        "import sys",
        "sys.modules['opentelemetry'] = None",
        "from pathlib import Path",
        "from shared.errors import Misconfigured",
        "from shared.settings import CommonSettings",
        "from shared.telemetry.spans import spans_of",
        "settings = CommonSettings(bootstrap_servers='b', data_dir=Path('none'), traces_endpoint='http://127.0.0.1:1')",
        "try:",
        "    spans_of('predictor', settings)",
        "except Misconfigured as error:",
        "    print(error)",
    )

    assert "install `homeostat[tracing]`" in said
