"""`send`, `labels`, `predict`, `tail`: rows in, predictions out."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from homeostat.cli.fitting import columns_of_labels, fit_columns, fitting, id_column, only_objects, with_ids
from homeostat.cli.following import followed, source_of
from homeostat.cli.nameless import without_nameless
from homeostat.cli.options import DEFAULT_DATA, Data, Json, Pipeline, on_gateway, pipeline_name, specification_of
from homeostat.cli.output import console, errors, show_json, show_rows
from homeostat.cli.predicting import answers_to, is_scored, score_heading, unscored, until_live, with_own_ids
from homeostat.cli.reporting import report
from homeostat.client import Client
from homeostat.column_types import of_events, of_labels
from homeostat.tally import Tally
from shared.errors import HomeostatError
from shared.topics import BY_NAME

if TYPE_CHECKING:
    from io import BufferedReader

    from homeostat.column_types import ColumnTypes
    from homeostat.rows import Row

File = Annotated[str, typer.Argument(help="CSV, Parquet or NDJSON; - reads standard input.")]
Rate = Annotated[float, typer.Option("--rate", help="At most so many rows a second; 0: as fast as it goes.")]
Source = Annotated[
    str | None,
    typer.Option(
        help="What the rows are said to come from, the unit of quarantine. Default: file: and the file's name."
    ),
]

Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Wait some seconds to say what became of the accepted rows.")
]


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
    source: Source = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Streams events to a pipeline, and says what became of them: taken, repeated, refused.

    A column of the target is taken as the label of its row. Lines of JSON on standard input are sent as they come.
    """
    specification = specification_of(client, pipeline)
    parts, total = _coming(file, of_events(specification))
    name, origin = pipeline_name(client, pipeline), source or source_of(file)
    parts = fitting(specification, file, parts, _say)
    column = id_column(specification)
    post = without_nameless(lambda part: client.send_events(name, part, origin), column)
    tally = stream(parts, total, batch, rate, f"events to {name}", post)
    report(file, tally, followed(client, name, "events", tally) if wait else None, "events", as_json=as_json)


@on_gateway
def labels(
    client: Client,
    pipeline: Pipeline,
    file: File,
    id_column: Annotated[str | None, typer.Option(help="The event's id; default: as specified, else id.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The label; default: the target, else label.")] = None,
    rate: Rate = 0.0,
    batch: Annotated[int, typer.Option(min=1, help="Labels per request.")] = 1000,
    source: Source = None,
    wait: Wait = True,
    as_json: Json = False,
) -> None:
    """Streams labels to a pipeline: a column of ids and a column of labels.

    Other columns are left aside. A label may come before its event; of several for one id the last counts.
    """
    specified = specification_of(client, pipeline)
    rows = _rows(file, of_labels(specified, id_column, label_column))
    name, origin = pipeline_name(client, pipeline), source or source_of(file)
    only_objects(file, rows)
    ids, truths = columns_of_labels(specified, file, rows, id_column, label_column)
    with_ids(file, [{ids: row.get(ids)} for row in rows], ids)
    found = [{"id": None if row.get(ids) is None else str(row[ids]), "label": row.get(truths)} for row in rows]
    post = without_nameless(lambda part: client.send_labels(name, part, origin), "id", ids)
    tally = stream([found], len(found), batch, rate, f"labels to {name}", post)
    report(file, tally, followed(client, name, "labels", tally) if wait else None, "labels", as_json=as_json)


@on_gateway
def predict(
    client: Client,
    pipeline: Pipeline,
    file: File,
    wait: Annotated[
        float, typer.Option(min=0, help="At most so many seconds for a first model, if none is live.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """Predictions for rows, by the live version; an id that was answered before gets that answer again.

    Where no version is live yet nothing is sent. Rows that were not scored are named, and the status is then 1; the
    others are scored all the same.
    """
    specification = specification_of(client, pipeline)
    sent = _rows(file, of_events(specification))
    name = pipeline_name(client, pipeline)
    fit_columns(specification, file, sent, _say)
    until_live(client, name, wait, _say)
    answers, broken_off = answers_to(client, name, list(_parts([sent], 500)), source_of(file))
    answers = with_own_ids(answers, sent, id_column(specification))
    score = score_heading(specification["kind"], answers)
    if as_json:
        show_json({"predictions": answers, "score": score})
    else:
        columns = {"id": "id", "prediction": "prediction", "score": score, "model_version": "version"}
        rows = [answer for answer in answers if is_scored(answer)]
        show_rows(rows, columns, empty="no row was scored")
    for line in unscored(answers, file):
        _say(line)
    if broken_off is not None:
        raise HomeostatError(f"{len(answers)} of {len(sent)} rows were answered: {broken_off}") from broken_off
    if missing := sum(not is_scored(answer) for answer in answers):
        raise HomeostatError(f"{missing} of {len(answers)} rows were not scored")


def tail(
    topic: Annotated[str, typer.Argument(help=f"One of {', '.join(BY_NAME)}.")],
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


def _rows(file: str, types: ColumnTypes) -> list[Row]:
    from homeostat.rows import read_rows  # imported here: every other command starts faster without polars

    return read_rows(file, _say, types)


def _say(line: str) -> None:
    errors.print(line, highlight=False, markup=False, soft_wrap=True)


def _coming(file: str, types: ColumnTypes) -> tuple[Iterable[list[Row]], int | None]:
    """The file's rows, in parts as they come, and how many they are; None where that is not known yet."""
    from homeostat.rows import parts_in

    parts = parts_in(file, cast("BufferedReader", sys.stdin.buffer), _say, types)
    first = next(parts)
    return chain([first], parts), None if file == "-" else len(first)


def stream(
    parts: Iterable[list[Row]],
    total: int | None,
    batch: int,
    rate: float,
    what: str,
    post: Callable[[Sequence[Row]], Tally],
) -> Tally:
    """Posts rows, at most `batch` at once, not faster than `rate` rows a second, behind a progress bar.

    What became of them. An error says how many rows are in, and how to go on.
    """
    tally = Tally()
    parts = _until_unreadable(parts, tally)
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*bar, console=errors) as progress:
        task = progress.add_task(what, total=total)
        begun = time.monotonic()
        for part in _parts(parts, batch):
            if rate:
                time.sleep(max(0.0, begun + tally.rows / rate - time.monotonic()))
            try:
                tally += post(part)
            except HomeostatError as error:
                raise HomeostatError(f"{error}\n{_broken_off(tally, total)}") from error
            progress.advance(task, len(part))
    return tally


def _until_unreadable(parts: Iterable[list[Row]], tally: Tally) -> Iterator[list[Row]]:
    """The parts; where one cannot be read, the error says what became of those before it."""
    try:
        yield from parts
    except HomeostatError as error:
        if not tally.rows:
            raise
        raise HomeostatError(
            f"{error}\n{tally.rows} rows before it were answered, {tally.accepted} of them accepted; nothing after it "
            "was read. Sending all of them again is safe: a row that is in already, by its id, counts once"
        ) from error


def _broken_off(tally: Tally, total: int | None) -> str:
    answered = f"{tally.rows} rows" if total is None else f"{tally.rows} of {total} rows"
    return (
        f"{answered} were answered, {tally.accepted} of them accepted; whether the next are in is not known. Sending "
        "all of them again is safe: a row that is in already, by its id, counts once. Once `homeostat status` answers, "
        "repeat this command"
    )


def _parts(parts: Iterable[list[Row]], size: int) -> Iterator[list[Row]]:
    """The rows in their order, at most `size` at a time; none waits for a part that has not come."""
    for rows in parts:
        for start in range(0, len(rows), size):
            yield rows[start : start + size]
