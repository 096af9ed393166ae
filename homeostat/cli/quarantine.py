"""`quarantine …`: which fields of which source are withheld from the model, and how they come back."""

from __future__ import annotations

from typing import Annotated

import typer

from homeostat.cli.models import ASKED, Reason, Wait, ask
from homeostat.cli.options import AnyPipeline, Json, Pipeline, on_gateway, pipelines_of
from homeostat.cli.output import show_found
from homeostat.client import Client

app = typer.Typer(help="Fields of a source that are withheld because they went wrong.", no_args_is_help=True)
COLUMNS = {"source": "source", "field": "field", "since": "since", "why": "why", "incident": "incident"}


@app.command("list")
@on_gateway
def list_quarantine(client: Client, pipeline: AnyPipeline = None, as_json: Json = False) -> None:
    """What is withheld now. It ends by itself when the source's rows are right again, or its file is over."""
    shown = [each["name"] for each in pipelines_of(client, pipeline)]
    found = [
        {"pipeline": name, **each}
        for name in shown
        for each in client.get(f"/v1/pipelines/{name}/quarantine")["quarantine"]
    ]
    named = {} if len(shown) == 1 else {"pipeline": "pipeline"}
    show_found(found, named | COLUMNS, empty="nothing is in quarantine", as_json=as_json)


@app.command()
@on_gateway
def release(
    client: Client,
    pipeline: Pipeline,
    source: Annotated[str, typer.Argument(help="A source, as `quarantine list` names it.")],
    field: Annotated[list[str] | None, typer.Option(help="Only this field; may be repeated. Default: all.")] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="Its values are right as they are, and are usual from now on.")
    ] = False,
    reason: Reason = ASKED,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Lets a source's fields count again at once; the request passes the remediator's limits and ledger.

    With --accept the monitor takes them for right too: so a unit is changed for good.
    """
    arguments = {"source": source, "fields": field or None, "accept": accept or None, "reason": reason}
    ask(client, pipeline, "release-source", arguments, wait=wait, as_json=as_json)
