"""`hold`, `release-hold`: a pipeline learns nothing for a while, and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from homeostat.cli.models import ASKED, Reason, Wait, ask
from homeostat.cli.options import Json, Pipeline, on_gateway
from homeostat.client import Client
from homeostat.tables import told_time


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(hold)
    app.command()(release_hold)


@on_gateway
def hold(client: Client, pipeline: Pipeline, reason: Reason = ASKED, wait: Wait = True, as_json: Json = False) -> None:
    """Nothing is learned or promoted until release-hold; rows are answered as before."""
    ask(client, pipeline, "hold", {"reason": reason}, wait=wait, as_json=as_json)


@on_gateway
def release_hold(
    client: Client, pipeline: Pipeline, reason: Reason = ASKED, wait: Wait = True, as_json: Json = False
) -> None:
    """Ends a hold: the pipeline learns again."""
    ask(client, pipeline, "release-hold", {"reason": reason}, wait=wait, as_json=as_json)


def holds_of(pipelines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each pipeline that is on hold, as the gateway's status tells them."""
    for each in pipelines:
        if found := each.get("hold"):
            name, why = each["pipeline"], found["why"] or "no reason recorded"
            yield (
                f"{name}: learning is on hold since {told_time(found['since'])}: {why}; "
                f"homeostat release-hold {name} ends it"
            )
