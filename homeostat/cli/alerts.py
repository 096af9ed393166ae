"""`alerts`: what is wrong now, and what was."""

from __future__ import annotations

from typing import Annotated

import typer

from homeostat.cli.options import AnyPipeline, Json, filter_of, on_gateway
from homeostat.cli.output import show_found
from homeostat.client import Client

COLUMNS = {"since": "since", "state": "state", "severity": "severity", "pipeline": "pipeline", "kind": "kind"}


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(alerts)


@on_gateway
def alerts(
    client: Client,
    pipeline: AnyPipeline = None,
    all_states: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: Json = False,
) -> None:
    """Alerts that are firing, newest first."""
    state = None if all_states else "firing"
    found = client.get("/v1/alerts", pipeline=filter_of(client, pipeline), state=state)["alerts"]
    show_found(found, COLUMNS | {"summary": "what"}, empty="no alert is firing", as_json=as_json)
