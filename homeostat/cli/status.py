"""`status`: services and how far behind they are, live versions, what is on hold, open incidents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import typer

from homeostat.cli.holding import holds_of
from homeostat.cli.options import DEFAULT_DATA, Data, Json, Key, Url, connect
from homeostat.cli.output import console, show_json, show_rows
from homeostat.cli.telling import state_of
from homeostat.local.discovery import urls_of


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(status)


def status(as_json: Json = False, url: Url = None, api_key: Key = None, data: Data = DEFAULT_DATA) -> None:
    """Addresses, services and how far behind they are, live versions, what is on hold, open incidents."""
    with connect(url, api_key, data) as client:
        found: dict[str, Any] = client.get("/v1/status")
    if url is None and (addresses := urls_of(data)):
        found["addresses"] = addresses
    if as_json:
        show_json(found)
        return
    for name, address in found.get("addresses", {}).items():
        console.print(f"{name:10} {address}", highlight=False, soft_wrap=True)
    if found["kafka"] != "ok":
        told = f"Kafka does not answer: {found['kafka']}. What follows is as it was when last heard of"
        console.print(told, highlight=False, markup=False, soft_wrap=True)
    health = {"service": "service", "state": "state", "lag": "lag", "records_in": "in", "records_out": "out"}
    show_rows(found["services"], health | {"rss_mb": "MB", "seconds_since_beat": "last beat s"}, empty="no service yet")
    for part in found["services"]:
        if part.get("incomplete"):
            name = f"{part['service']}/{part['instance']}"
            console.print(f"{name}: its state is incomplete: {part['incomplete']}", highlight=False, soft_wrap=True)
    console.print()
    columns = {"pipeline": "pipeline", "kind": "kind", "live_version": "live", "rows_seen": "rows", "metric": "metric"}
    show_rows(
        [{**each, **_figure(each)} for each in found["pipelines"]],
        columns | {"value": "value"},
        empty="no pipeline yet: homeostat pipeline init FILE --target COLUMN writes one",
    )
    for line in (*_failing(found["pipelines"]), *holds_of(found["pipelines"])):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print()
    incident_columns = {"id": "open incident", "pipeline": "pipeline", "state": "state", "summary": "what"}
    incidents = [{**each, "state": state_of(each)} for each in found["incidents"]]
    show_rows(incidents, incident_columns, empty="no open incident")


def _failing(pipelines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each pipeline whose live version gives no answers."""
    for each in pipelines:
        if failed := each.get("unanswered"):
            name, version = each["pipeline"], failed["model_version"]
            yield (
                f"{name}: version {version} gave no answer to the newest {failed['rows']:,} rows: {failed['reason']}; "
                f"homeostat models rollback {name} goes back to the version before"
            )


def _figure(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """The metric with its newest value; neither where `anomaly` has no truth to be measured by."""
    if pipeline["value"] is None and pipeline["kind"] == "anomaly":
        return {"metric": "", "value": ""}
    return {"metric": pipeline["metric"], "value": _value(pipeline)}


def _value(pipeline: Mapping[str, Any]) -> Any:
    """The metric's newest value, or why there is none."""
    of, live = pipeline.get("value_version"), pipeline["live_version"]
    if pipeline["value"] is not None and of and live and of != live:
        return f"{pipeline['value']:.4g} (of version {of})"
    if pipeline["value"] is not None:
        return pipeline["value"]
    labelled = pipeline["labelled_seen"]
    if not labelled:
        return "none yet: no labels"
    if pipeline["live_version"] is None:
        return f"none yet: labels of {labelled:,} rows, no live model"
    return f"none yet: labels of {labelled:,} rows, too few of them answered by a model"
