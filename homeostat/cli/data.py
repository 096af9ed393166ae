"""`send`, `labels`, `predict`, `tail`: rows in, predictions out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from homeostat.cli.options import DEFAULT_DATA, Data, Json, Pipeline, on_gateway, pipeline_name
from homeostat.cli.output import console, errors, show_json, show_rows, show_text
from homeostat.client import Client, Tally
from shared.errors import HomeostatError, Misconfigured

if TYPE_CHECKING:
    from homeostat.rows import Row

File = Annotated[str, typer.Argument(help="CSV, Parquet or NDJSON; - reads standard input.")]
Rate = Annotated[float, typer.Option("--rate", help="At most so many rows a second; 0: as fast as it goes.")]
Source = Annotated[str, typer.Option("--source", help="What the rows are said to come from: the unit of quarantine.")]

_SHOWN_REJECTIONS = 5


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    for command in (send, labels, predict, tail):
        app.command()(command)


@on_gateway
def send(
    client: Client,
    pipeline: Pipeline,
    file: File,
    rate: Rate = 0.0,
    batch: Annotated[int, typer.Option(min=1, help="Rows per request.")] = 500,
    source: Source = "cli",
    as_json: Json = False,
) -> None:
    """Streams events to a pipeline, with a progress bar and a tally of accepted and rejected."""
    rows = _rows(file)
    name = pipeline_name(client, pipeline)
    tally = stream(rows, batch, rate, f"events to {name}", lambda part: client.send_events(name, part, source))
    report(tally, len(rows), as_json=as_json)


@on_gateway
def labels(
    client: Client,
    pipeline: Pipeline,
    file: File,
    id_column: Annotated[str | None, typer.Option(help="The event's id; default: as specified, else id.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The label; default: the target, else label.")] = None,
    rate: Rate = 0.0,
    batch: Annotated[int, typer.Option(min=1, help="Labels per request.")] = 1000,
    source: Source = "cli",
    as_json: Json = False,
) -> None:
    """Streams labels to a pipeline: a column of ids and a column of labels."""
    rows = _rows(file)
    name = pipeline_name(client, pipeline)
    specified = client.get(f"/v1/pipelines/{name}")["specification"]
    ids = _column(file, rows, id_column, (specified.get("id"), "id"))
    truths = _column(file, rows, label_column, (specified.get("target"), "label"))
    found = [{"id": str(row[ids]), "label": row[truths]} for row in rows]
    tally = stream(found, batch, rate, f"labels to {name}", lambda part: client.send_labels(name, part, source))
    report(tally, len(rows), as_json=as_json)


def _column(file: str, rows: Sequence[Row], asked: str | None, usual: Sequence[str | None]) -> str:
    """The column asked for, else the first usual one that is there; `Misconfigured` where there is none."""
    wanted = [asked] if asked is not None else [name for name in usual if name is not None]
    for name in wanted:
        if not rows or name in rows[0]:
            return name
    raise Misconfigured(
        f"{file} has no column {' or '.join(repr(name) for name in wanted)}; it has {', '.join(rows[0])}: "
        "see --id-column and --label-column"
    )


@on_gateway
def predict(
    client: Client,
    pipeline: Pipeline,
    file: File,
    as_json: Json = False,
) -> None:
    """Predictions for rows, by the live version."""
    sent = _rows(file)
    answers: list[Row] = []
    name = pipeline_name(client, pipeline)
    for part in _parts(sent, 500):
        answers += client.predict(name, part)
    if as_json:
        show_json({"predictions": answers})
        return
    rows = [{**answer, "reason": _why(answer)} for answer in answers]
    columns = {"id": "id", "prediction": "prediction", "score": "score", "model_version": "version", "reason": "reason"}
    show_rows(rows, columns, empty="no rows, so no predictions")


def _why(answer: Row) -> str | None:
    """Why a row has no prediction; None where it has one."""
    refused: dict[str, str] = answer.get("error") or {}
    return f"{refused['reason']}: {refused['detail']}" if refused else answer.get("reason")


def tail(
    topic: Annotated[str, typer.Argument(help="A topic of `homeostat status`, as predictions.")],
    from_start: Annotated[bool, typer.Option("--from-start", help="From the oldest record on.")] = False,
    limit: Annotated[int, typer.Option(help="End after so many records; 0: go on.")] = 0,
    data: Data = DEFAULT_DATA,
) -> None:
    """A live view of a topic: one line of JSON per record, straight from Kafka, committed records only."""
    from homeostat.cli.tailing import records  # imported here: only this command needs a Kafka client

    for shown, line in enumerate(records(topic, data, os.environ, from_start=from_start), start=1):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
        if shown == limit:
            return


def _rows(file: str) -> list[Row]:
    from homeostat.rows import read_rows  # imported here: every other command starts faster without polars

    return read_rows(file)


def stream(rows: list[Row], batch: int, rate: float, what: str, post: Callable[[Sequence[Row]], Tally]) -> Tally:
    """Posts `rows` in parts of `batch`, not faster than `rate` rows a second, behind a progress bar."""
    tally = Tally()
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=errors) as progress:
        task = progress.add_task(what, total=len(rows))
        begun = time.monotonic()
        for number, part in enumerate(_parts(rows, batch)):
            if rate:
                time.sleep(max(0.0, begun + number * batch / rate - time.monotonic()))
            tally += post(part)
            progress.advance(task, len(part))
    return tally


def _parts(rows: list[Row], size: int) -> Iterator[list[Row]]:
    """The rows in their order, `size` at a time."""
    left = iter(rows)
    while part := list(islice(left, size)):
        yield part


def report(tally: Tally, total: int, *, as_json: bool) -> None:
    """Shows the tally; rows that were rejected make the command fail."""
    result: dict[str, Any] = {
        "rows": total,
        "accepted": tally.accepted,
        "duplicates": tally.duplicates,
        "rejected": list(tally.rejected),
    }
    if as_json:
        show_json(result)
    else:
        console.print(f"{total} rows: {tally.accepted} accepted, {len(tally.rejected)} rejected")
        for entry in tally.rejected[:_SHOWN_REJECTIONS]:
            show_text(f"  {entry.get('id') or entry['index']}: {entry['detail']}")
        if len(tally.rejected) > _SHOWN_REJECTIONS:
            show_text(f"  and {len(tally.rejected) - _SHOWN_REJECTIONS} more: --json has them all")
    if tally.rejected:
        raise HomeostatError(f"{len(tally.rejected)} of {total} rows were rejected; nothing else was harmed")
