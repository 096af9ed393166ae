"""`status`: services, topics and lags, live versions, open incidents, health."""

from __future__ import annotations

from typing import Any

import typer

from homeostat.cli.options import Json, on_gateway
from homeostat.cli.output import console, show_json, show_rows
from homeostat.client import Client


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(status)


@on_gateway
def status(client: Client, as_json: Json = False) -> None:
    """Services, topics and lags, live versions, open incidents, health."""
    found: dict[str, Any] = client.get("/v1/status")
    if as_json:
        show_json(found)
        return
    health = {"service": "service", "state": "state", "lag": "lag", "records_in": "in", "records_out": "out"}
    show_rows(found["services"], health | {"rss_mb": "MB", "seconds_since_beat": "last beat s"}, empty="no service yet")
    console.print()
    columns = {"pipeline": "pipeline", "kind": "kind", "live_version": "live", "rows_seen": "rows", "metric": "metric"}
    show_rows(
        found["pipelines"],
        columns | {"value": "value"},
        empty="no pipeline yet: homeostat pipeline init FILE --target COLUMN writes one",
    )
    console.print()
    incident_columns = {"id": "open incident", "pipeline": "pipeline", "state": "state", "summary": "what"}
    show_rows(found["incidents"], incident_columns, empty="no open incident")
