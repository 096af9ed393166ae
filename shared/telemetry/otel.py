"""Spans for an OpenTelemetry collector, over OTLP/HTTP. The only module that imports OpenTelemetry.

Names and attributes are those of the semantic conventions for messaging (development status, 2025). A batch has
many causes, so its span stands in the turn's trace and links to some of theirs. Which, every service draws alike:
those whose trace ids read backward come first in order. So what one draws the next mostly draws too (all, where
batches get smaller), and the event's own trace holds a span ``create <topic>`` for each record made of it, with the
ids in its `traceparent`.

The sampler is OpenTelemetry's own (`OTEL_TRACES_SAMPLER`); of an event's trace each service decides by the trace's id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from heapq import nsmallest
from threading import Thread

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)

from shared.bus.base import NewRecord, Record
from shared.messages import JobFinished
from shared.settings import CommonSettings
from shared.telemetry.tracing import parent_in

SAMPLED = Decision.RECORD_AND_SAMPLE

MOST_LINKS = 32
"""Events that are followed, of one batch and of one transaction."""

CLOSE_SECONDS = 2.0
"""How long an orderly end waits for a collector."""


class SentSpans:
    """The spans of one service's process, sent in the background. What a collector does not take is dropped."""

    def __init__(self, service: str, settings: CommonSettings, endpoint: str) -> None:
        group = settings.full_name(f"homeostat.{service}")
        self._common: dict[str, str | int] = {"messaging.system": "kafka", "messaging.consumer.group.name": group}
        self._ids = _Ids()
        named = {
            "service.namespace": "homeostat",
            "service.name": f"homeostat.{service}",
            "service.instance.id": f"{group}.{settings.instance}",
        }
        self._provider = TracerProvider(resource=Resource.create(named), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
        self._tracer = self._provider.get_tracer("homeostat")
        self._causes: dict[int, SpanContext] = {}

    def turn(self) -> AbstractContextManager[object]:
        self._causes.clear()
        return self._tracer.start_as_current_span("turn", context=Context())

    def batch(self, task: str, topic: str, partition: int, records: Sequence[Record]) -> AbstractContextManager[object]:
        if not get_current_span().is_recording():
            return nullcontext()
        drawn = [_context_of(trace) for trace in _drawn(parent_in(record.headers) for record in records)]
        self._causes |= {context.trace_id: context for context in drawn}
        return self._tracer.start_as_current_span(
            f"process {topic}",
            kind=SpanKind.CONSUMER,
            attributes={
                **self._common,
                "messaging.operation.name": "process",
                "messaging.operation.type": "process",
                "messaging.destination.name": topic,
                "messaging.destination.partition.id": str(partition),
                "messaging.batch.message_count": len(records),
                "homeostat.task": task,
                "homeostat.first_offset": records[0].offset,
            },
            links=[Link(context) for context in drawn],
        )

    def handling(self, handler: str) -> AbstractContextManager[object]:
        return self._tracer.start_as_current_span(handler) if get_current_span().is_recording() else nullcontext()

    @contextmanager
    def commit(self, records: Sequence[NewRecord]) -> Iterator[None]:
        made = self._creating(records)
        attributes = {
            **self._common,
            "messaging.operation.name": "commit",
            "messaging.operation.type": "settle",
            "messaging.batch.message_count": len(records),
        }
        recording = get_current_span().is_recording()
        span = self._tracer.start_as_current_span("commit", kind=SpanKind.CLIENT, attributes=attributes)
        with span if recording else nullcontext():
            yield
        for one in made:  # one that is never ended is never sent: what failed was not written
            one.end()

    def job(self, ended: JobFinished) -> None:
        until = round(ended.at.timestamp() * 1e9)
        span = self._tracer.start_span(
            f"job {ended.name}",
            context=Context(),
            start_time=until - round(ended.seconds * 1e9),
            attributes={"homeostat.task": ended.task, "homeostat.job": ended.job},
        )
        if ended.error is not None:
            span.set_status(StatusCode.ERROR, ended.error)
        span.end(until)

    def close(self) -> None:
        thread = Thread(target=self._provider.shutdown, name="spans", daemon=True)
        thread.start()
        thread.join(CLOSE_SECONDS)

    def _creating(self, records: Sequence[NewRecord]) -> list[Span]:
        """Spans of the drawn records, begun, each in the trace of its event and with the ids that it carries."""
        written = {trace: record.topic for record in records if (trace := parent_in(record.headers)) is not None}
        here = get_current_span().get_span_context()
        made = []
        for trace in _drawn(written):
            own, name = _context_of(trace), f"create {written[trace]}"
            if self._provider.sampler.should_sample(Context(), own.trace_id, name).decision is not SAMPLED:
                continue
            cause = self._causes.get(own.trace_id)
            self._ids.given = own
            span = self._tracer.start_span(
                name,
                context=Context() if cause is None else set_span_in_context(NonRecordingSpan(cause), Context()),
                kind=SpanKind.PRODUCER,
                attributes={
                    "messaging.system": "kafka",
                    "messaging.operation.name": "create",
                    "messaging.operation.type": "create",
                    "messaging.destination.name": written[trace],
                },
                links=[Link(here)] if here.is_valid else [],
            )
            self._ids.given = None
            made.append(span)
        return made


class _Ids(RandomIdGenerator):
    """Random ids, or those that are given."""

    given: SpanContext | None = None

    def generate_trace_id(self) -> int:
        return super().generate_trace_id() if self.given is None else self.given.trace_id

    def generate_span_id(self) -> int:
        return super().generate_span_id() if self.given is None else self.given.span_id


def _drawn(traces: Iterable[str | None]) -> list[str]:
    """At most `MOST_LINKS` of them, the same events in every service: a step counts its trace ids on at their ends."""
    return nsmallest(MOST_LINKS, (trace for trace in traces if trace is not None), key=lambda trace: trace[34:2:-1])


def _context_of(trace: str) -> SpanContext:
    """The context in a valid traceparent."""
    return SpanContext(int(trace[3:35], 16), int(trace[36:52], 16), is_remote=True, trace_flags=TraceFlags(1))
