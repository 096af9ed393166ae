"""`alerts`: what is wrong now, and what was."""

from __future__ import annotations

from typing import Annotated

import typer

from homeostat.cli.options import DEFAULT_DATA, Data, Json, Key, Url, connect
from homeostat.cli.output import show_json, show_rows

COLUMNS = {"since": "since", "state": "state", "severity": "severity", "pipeline": "pipeline", "kind": "kind"}


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(alerts)


def alerts(
    pipeline: Annotated[str | None, typer.Argument(help="Only this pipeline's.")] = None,
    all_states: Annotated[bool, typer.Option("--all", help="Resolved ones too.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Alerts that are firing, newest first."""
    with connect(url, api_key, data) as client:
        found = client.get("/v1/alerts", pipeline=pipeline, state=None if all_states else "firing")["alerts"]
    if as_json:
        show_json(found)
    else:
        show_rows(found, COLUMNS | {"summary": "what"}, empty="no alert is firing")
