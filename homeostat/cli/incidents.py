"""`incidents …`: what is being done about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homeostat.cli.models import ASKED, Reason
from homeostat.cli.options import AnyPipeline, Json, filter_of, on_gateway
from homeostat.cli.output import console, show_found, show_json, show_rows, show_text
from homeostat.cli.telling import state_of, steps_of
from homeostat.client import Client

app = typer.Typer(help="Incidents, each from its first alert to its outcome.", no_args_is_help=True)
Incident = Annotated[str, typer.Argument(help="An incident's id.")]
COLUMNS = {"id": "id", "opened": "opened", "pipeline": "pipeline", "state": "state", "summary": "what"}


@app.command("list")
@on_gateway
def list_incidents(client: Client, pipeline: AnyPipeline = None, as_json: Json = False) -> None:
    """Every incident, newest first: of one pipeline, or of all of them."""
    found = client.get("/v1/incidents", pipeline=filter_of(client, pipeline))["incidents"]
    rows = found if as_json else [{**each, "state": state_of(each)} for each in found]
    show_found(rows, COLUMNS, empty="no incident yet", as_json=as_json)


@app.command()
@on_gateway
def show(client: Client, incident: Incident, as_json: Json = False) -> None:
    """One incident, step by step, each action once; with --json every record that tells of it."""
    found: dict[str, Any] = client.get(f"/v1/incidents/{incident}")
    if as_json:
        show_json(found)
        return
    console.print(f"[bold]{found['id']}[/] {found['pipeline']}: {state_of(found)}\n{found['summary']}\n")
    columns = {"at": "at", "step": "step", "summary": "what", "state": "state", "where": "in the log"}
    show_rows(steps_of(found), columns, empty="no step yet")


@app.command()
@on_gateway
def postmortem(client: Client, incident: Incident) -> None:
    """The incident's post-mortem, in Markdown."""
    show_text(client.get(f"/v1/incidents/{incident}/postmortem"))


@app.command()
@on_gateway
def approve(client: Client, incident: Incident, reason: Reason = ASKED, as_json: Json = False) -> None:
    """Lets the proposed action go ahead."""
    _answer(client, incident, "approve", reason, as_json=as_json)


@app.command()
@on_gateway
def reject(client: Client, incident: Incident, reason: Reason = ASKED, as_json: Json = False) -> None:
    """Forbids the proposed action."""
    _answer(client, incident, "reject", reason, as_json=as_json)


@app.command()
@on_gateway
def acknowledge(client: Client, incident: Incident, reason: Reason = ASKED, as_json: Json = False) -> None:
    """Says that a person has seen it."""
    _answer(client, incident, "acknowledge", reason, as_json=as_json)


def _answer(client: Client, incident: str, verdict: str, reason: str, *, as_json: bool) -> None:
    answer = client.call("POST", f"/v1/incidents/{incident}/{verdict}", json={"reason": reason})
    if as_json:
        show_json(answer)
        return
    show_text(f"{verdict} sent for {incident}; what becomes of it: homeostat incidents show {incident}")
