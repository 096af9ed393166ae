"""`verify`: the promises, held against what stands on the topics."""

from __future__ import annotations

from typing import Annotated

import typer

from homeostat.cli.options import DEFAULT_DATA, Data, Json
from homeostat.cli.output import errors, show_json, show_rows, show_text
from homeostat.local.discovery import environment_of, unreachable
from shared.clock import utc_now
from shared.errors import HomeostatError, Misconfigured

COLUMNS = {
    "promise": "promise",
    "about": "what it says",
    "checked": "checked",
    "unit": "of",
    "under_way": "under way",
    "broken": "broken",
}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(verify)


def verify(
    bootstrap: Annotated[
        str | None,
        typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="The cluster. Default: the local stack's own."),
    ] = None,
    prefix: Annotated[
        str | None, typer.Option(envvar="HOMEOSTAT_TOPIC_PREFIX", help="What the topics' names begin with.")
    ] = None,
    grace: Annotated[float, typer.Option(min=0, help="Seconds that a record may be under way.")] = 60.0,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Reads the topics with a client of its own and checks every promise; fails where one is broken."""
    from homeostat.verify import books_of, outcomes_of
    from homeostat.verify.log import Log

    local = environment_of(data)
    where = bootstrap or local.get("KAFKA_BOOTSTRAP_SERVERS")
    if where is None:
        raise Misconfigured(f"{unreachable(data)}. Or name Kafka with --bootstrap, or a folder with --data")
    log = Log(where, local.get("HOMEOSTAT_TOPIC_PREFIX", "") if prefix is None else prefix)
    with errors.status("reading") as status:
        books = books_of(log, lambda topic: status.update(f"reading {topic}"))
    outcomes = outcomes_of(books, utc_now(), grace)
    broken = [outcome for outcome in outcomes if outcome.broken]
    if as_json:
        show_json({"ok": not broken, "promises": [outcome.told() for outcome in outcomes]})
    else:
        show_rows([outcome.told() for outcome in outcomes], COLUMNS, empty="")
        for outcome in broken:
            for example in outcome.examples:
                show_text(f"{outcome.promise}: {example}")
    if broken:
        raise HomeostatError(
            f"{len(broken)} of {len(outcomes)} promises are broken: {', '.join(o.promise for o in broken)}"
        )
