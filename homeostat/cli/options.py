"""Options that several commands share, and how they find the gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from homeostat.client import Client, key_from
from homeostat.local.discovery import urls_of
from shared.pipeline.load import load

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="HOMEOSTAT_URL", help="The gateway's address. Default: the local stack's own."),
]
Key = Annotated[
    str | None, typer.Option("--api-key", envvar="HOMEOSTAT_API_KEY", help="Default: the local stack's own key.")
]
Data = Annotated[Path, typer.Option("--data", envvar="HOMEOSTAT_DATA", help="The local stack's data folder.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, and nothing else.")]
Pipeline = Annotated[str, typer.Argument(help="A pipeline's name, or the path of its specification.")]

USUAL_URL = "http://127.0.0.1:8080"
DEFAULT_DATA = Path(".homeostat")


def connect(url: str | None, api_key: str | None, data: Path) -> Client:
    """A client for the gateway at `url`, else for that of the stack that runs on `data`, with its key."""
    return Client(url or urls_of(data).get("gateway", USUAL_URL), api_key or key_from(data))


def pipeline_name(client: Client, pipeline: str) -> str:
    """The pipeline's name. Given a specification's path, the pipeline is made known first."""
    if not pipeline.endswith((".yaml", ".yml")):
        return pipeline
    specification = load(Path(pipeline))
    client.define(specification.canonical)
    return specification.name
