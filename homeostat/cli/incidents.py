"""`incidents …`: what is being done about it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from homeostat.cli.options import DEFAULT_DATA, Data, Json, Key, Url, connect
from homeostat.cli.output import console, show_json, show_rows, show_text

app = typer.Typer(help="Incidents, each from its first alert to its outcome.", no_args_is_help=True)
Incident = Annotated[str, typer.Argument(help="An incident's id.")]
COLUMNS = {"id": "id", "opened": "opened", "pipeline": "pipeline", "state": "state", "summary": "what"}


@app.command("list")
def list_incidents(
    pipeline: Annotated[str | None, typer.Option(help="Only this pipeline's.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Every incident, newest first."""
    with connect(url, api_key, data) as client:
        found = client.get("/v1/incidents", pipeline=pipeline)["incidents"]
    if as_json:
        show_json(found)
    else:
        show_rows(found, COLUMNS, empty="no incident yet")


@app.command()
def show(
    incident: Incident, as_json: Json = False, url: Url = None, api_key: Key = None, data: Data = DEFAULT_DATA
) -> None:
    """One incident: every step, with its place in the log."""
    with connect(url, api_key, data) as client:
        found: dict[str, Any] = client.get(f"/v1/incidents/{incident}")
    if as_json:
        show_json(found)
        return
    console.print(f"[bold]{found['id']}[/] {found['pipeline']}: {found['state']}\n{found['summary']}\n")
    steps = [{**step, "where": _place(step)} for step in found["steps"]]
    show_rows(steps, {"at": "at", "kind": "step", "summary": "what", "where": "in the log"}, empty="no step yet")


@app.command()
def postmortem(incident: Incident, url: Url = None, api_key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """The incident's post-mortem, in Markdown."""
    with connect(url, api_key, data) as client:
        show_text(client.get(f"/v1/incidents/{incident}/postmortem"))


@app.command()
def approve(incident: Incident, url: Url = None, api_key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Lets the proposed action go ahead."""
    _answer(incident, "approve", url, api_key, data)


@app.command()
def reject(incident: Incident, url: Url = None, api_key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Forbids the proposed action."""
    _answer(incident, "reject", url, api_key, data)


@app.command()
def acknowledge(incident: Incident, url: Url = None, api_key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Says that a person has seen it."""
    _answer(incident, "acknowledge", url, api_key, data)


def _answer(incident: str, verdict: str, url: str | None, api_key: str | None, data: Any) -> None:
    with connect(url, api_key, data) as client:
        client.call("POST", f"/v1/incidents/{incident}/{verdict}", json={})
    show_text(f"{verdict} sent for {incident}; what becomes of it: homeostat incidents show {incident}")


def _place(step: dict[str, Any]) -> str:
    return f"{step.get('topic')}/{step.get('partition')}@{step.get('offset')}" if step.get("topic") else ""
