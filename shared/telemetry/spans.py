"""Spans: what the runtime tells of its work to an OpenTelemetry collector, or to nobody.

Without an endpoint nothing of OpenTelemetry is imported and nothing is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from shared.bus.base import NewRecord, Record
from shared.errors import Misconfigured
from shared.messages import JobFinished
from shared.settings import CommonSettings


class Spans(Protocol):
    """Each span lasts as long as its `with` block, and is a child of the one around it. One thread."""

    def turn(self) -> AbstractContextManager[object]:
        """One turn of the loop that has records to take."""
        ...

    def batch(self, task: str, topic: str, partition: int, records: Sequence[Record]) -> AbstractContextManager[object]:
        """Consecutive records of one partition are decoded and handled. `topic` is the full name."""
        ...

    def handling(self, handler: str) -> AbstractContextManager[object]:
        """A handler of the service runs."""
        ...

    def commit(self, records: Sequence[NewRecord]) -> AbstractContextManager[object]:
        """The transaction that writes `records`; those of one that failed were never written."""
        ...

    def job(self, ended: JobFinished) -> None:
        """A job has ended."""
        ...

    def close(self) -> None:
        """Sends what is left, for as long as an orderly end may take."""
        ...


class NoSpans:
    """Notes nothing."""

    _nothing = nullcontext()

    def turn(self) -> AbstractContextManager[object]:
        return self._nothing

    def batch(self, task: str, topic: str, partition: int, records: Sequence[Record]) -> AbstractContextManager[object]:
        return self._nothing

    def handling(self, handler: str) -> AbstractContextManager[object]:
        return self._nothing

    def commit(self, records: Sequence[NewRecord]) -> AbstractContextManager[object]:
        return self._nothing

    def job(self, ended: JobFinished) -> None:
        return

    def close(self) -> None:
        return


NO_SPANS = NoSpans()


def spans_of(service: str, settings: CommonSettings) -> Spans:
    """The spans of this service's process, sent where `settings.traces_endpoint` says."""
    if settings.traces_endpoint is None:
        return NO_SPANS
    try:
        from shared.telemetry.otel import SentSpans
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is set, but there is no package {error.name}: "
            "install `homeostat[tracing]`, or unset it"
        ) from error
    return SentSpans(service, settings, settings.traces_endpoint)
