"""An OpenTelemetry collector for tests: takes spans over OTLP/HTTP and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What came in, in its order: each span as it was sent, beside the name of its service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.taken: list[tuple[str, Span]] = []
        self.paths: set[str] = set()

    def take(self, path: str, body: bytes) -> None:
        self.paths.add(path)
        for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = attributes_of(of_service.resource)["service.name"]
            self.taken += [(service, span) for scope in of_service.scope_spans for span in scope.spans]

    def spans(self, name: str, service: str | None = None) -> list[Span]:
        return [span for of, span in self.taken if span.name == name and service in (None, of)]


def attributes_of(told: Any) -> dict[str, Any]:
    """The attributes of a span or a resource by name."""
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in told.attributes}


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that listens until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        taken = Collector(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield taken
        finally:
            server.shutdown()
            thread.join()
