"""`models …`: the registry as the log tells it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import typer

from homeostat.cli.asked import answer_to, head_of
from homeostat.cli.options import AnyPipeline, Json, Pipeline, on_gateway, pipeline_name, pipelines_of
from homeostat.cli.output import show_json, show_rows, show_text
from homeostat.client import Client
from homeostat.tables import told_time
from shared.errors import HomeostatError

app = typer.Typer(help="Versions: which exist, which is live and why; promote, roll back.", no_args_is_help=True)
Reason = Annotated[str, typer.Option(help="Why; it goes into the ledger.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait up to 10 seconds to say what became of it.")]
ASKED = "asked for on the command line"
Version = Annotated[str, typer.Argument(help="A version, as 3.")]


@app.command("list")
@on_gateway
def list_models(
    client: Client,
    pipeline: AnyPipeline = None,
    as_json: Json = False,
) -> None:
    """Every version, newest first: of one pipeline, or of all of them."""
    shown = pipelines_of(client, pipeline)
    found: list[dict[str, Any]] = []
    for each in shown:
        models = client.get(f"/v1/pipelines/{each['name']}/models")["models"]
        found += [{"pipeline": each["name"], "metric": each["main_metric"], **model} for model in models]
    if as_json:
        show_json(found)
        return
    rows = [{**model, "value": (model.get("metrics") or {}).get(model["metric"])} for model in found]
    columns = {"version": "version", "stage": "stage", "at": "since", "estimator": "learner"}
    if len(shown) == 1:
        columns |= {"value": shown[0]["main_metric"]}
    else:
        columns = {"pipeline": "pipeline"} | columns
        rows = [{**row, "reason": _measured(row)} for row in rows]
    show_rows(
        rows,
        columns | {"reason": "why"},
        empty="no version yet: the first is trained when enough labelled rows are there",
    )


def _measured(row: Mapping[str, Any]) -> str:
    """Why, headed by the pipeline's own metric: each pipeline may have another."""
    value = "-" if row["value"] is None else f"{row['value']:.4g}"
    return f"{row['metric']} {value}; {row['reason'] or 'no reason recorded'}"


@app.command()
@on_gateway
def show(
    client: Client,
    pipeline: Pipeline,
    version: Version,
    as_json: Json = False,
) -> None:
    """One version: its card, or with --json everything that made it."""
    base = f"/v1/pipelines/{pipeline_name(client, pipeline)}/models/{version}"
    if as_json:
        show_json(client.get(base))
    else:
        show_text(client.get(f"{base}/card"))


@app.command()
@on_gateway
def live(
    client: Client,
    pipeline: Pipeline,
    at: Annotated[str | None, typer.Option(help="A time (RFC 3339); default: now.")] = None,
    as_json: Json = False,
) -> None:
    """Which version answered at a time, and why."""
    found = client.get(f"/v1/pipelines/{pipeline_name(client, pipeline)}/models/live", at=at)
    if as_json:
        show_json(found)
    else:
        why = found.get("reason") or "no reason recorded"
        show_text(f"version {found['version']} since {told_time(found['at'])}: {why}")


@app.command()
@on_gateway
def compare(
    client: Client,
    pipeline: Pipeline,
    versions: Annotated[list[str], typer.Argument(help="Two or more versions.")],
    as_json: Json = False,
) -> None:
    """Versions side by side: learner, rows, metrics of the gate."""
    base = f"/v1/pipelines/{pipeline_name(client, pipeline)}/models"
    found = [client.get(f"{base}/{version}") for version in versions]
    if as_json:
        show_json(found)
        return
    names = sorted({name for model in found for name in model.get("metrics") or {}})
    rows = [{"what": name} | {m["version"]: (m.get("metrics") or {}).get(name) for m in found} for name in names]
    show_rows(rows, {"what": "metric"} | {m["version"]: f"version {m['version']}" for m in found}, empty="no metrics")


@app.command()
@on_gateway
def promote(
    client: Client,
    pipeline: Pipeline,
    version: Version,
    reason: Reason = ASKED,
    force: Annotated[bool, typer.Option("--force", help="Also one that failed its gate, or was taken down.")] = False,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Makes a version the champion; the request passes the remediator's limits and ledger."""
    ask(client, pipeline, "promote", {"version": version, "force": force, "reason": reason}, wait=wait, as_json=as_json)


@app.command()
@on_gateway
def rollback(
    client: Client,
    pipeline: Pipeline,
    to: Annotated[str | None, typer.Option(help="The version to go back to; default: the one before.")] = None,
    reason: Reason = ASKED,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Goes back to an earlier champion."""
    ask(client, pipeline, "rollback", {"to_version": to, "reason": reason}, wait=wait, as_json=as_json)


@app.command()
@on_gateway
def retrain(
    client: Client,
    pipeline: Pipeline,
    reason: Reason = ASKED,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Trains a challenger on the newest labelled rows; it goes live if it passes the gate."""
    ask(client, pipeline, "retrain", {"reason": reason}, wait=wait, as_json=as_json)


def ask(
    client: Client, pipeline: str, action: str, arguments: dict[str, Any], *, wait: bool = True, as_json: bool
) -> None:
    """Puts a person's request to the remediator and says what became of it, or where that will show.

    `HomeostatError` where it was refused, or did not succeed.
    """
    name = pipeline_name(client, pipeline)
    body = {key: value for key, value in arguments.items() if value is not None}
    head = head_of(client) if wait else -1
    answer = client.call("POST", f"/v1/pipelines/{name}/{action}", json=body)
    request = answer["request"]
    found = answer_to(client, name, request, head) if wait else None
    if as_json:
        show_json(answer | (asdict(found) if found is not None else {}))
    elif found is None:
        show_text(f"{action} of {name} is asked for ({request}); what becomes of it: homeostat audit show")
    elif found.outcome == "done":
        show_text(f"{action} of {name}: {found.detail} ({found.incident})")
    elif found.outcome == "pending":
        show_text(f"{action} of {name} is asked for ({request}) and not done yet: {found.detail}")
        show_text(f"what becomes of it: homeostat incidents show {found.incident}")
    if found is not None and found.outcome in ("refused", "failed"):
        raise HomeostatError(f"{action} of {name} was not done: {found.detail}")
