"""`up` and `demo`: the local stack, alone or with a story."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import typer

from homeostat.cli.options import DEFAULT_DATA
from homeostat.cli.output import console
from homeostat.client import Client
from homeostat.local.own_log import keep_own_log
from homeostat.local.stack import Stack, stack_settings
from shared.pipeline.load import load

_INTERRUPTED = 128 + signal.SIGINT

Port = Annotated[int, typer.Option(help="The gateway's port.", envvar="HOMEOSTAT_PORT")]


def register(app: typer.Typer) -> None:
    """Adds these commands to `app`."""
    app.command()(up)
    app.command()(demo)


def up(
    pipeline: Annotated[list[Path] | None, typer.Option(help="A specification to serve; may be repeated.")] = None,
    data: Annotated[Path, typer.Option(help="Where everything is kept.", envvar="HOMEOSTAT_DATA")] = DEFAULT_DATA,
    port: Port = 8080,
) -> None:
    """Starts the local stack and stays in front; ctrl-C, or kill with its process id, drains and stops it.

    With KAFKA_BOOTSTRAP_SERVERS, REDIS_URL or MLFLOW_TRACKING_URI set, it uses those instead of its own.
    """
    specifications = [load(path) for path in pipeline or []]
    keep_own_log(data)
    with _stopped(), Stack(stack_settings(data, port, os.environ)) as running:
        running.start(progress=lambda line: console.print(line, highlight=False, soft_wrap=True))
        with Client(running.urls["gateway"], running.api_key) as client:
            for specification in specifications:
                client.define(specification.canonical)
        for name, url in running.urls.items():
            console.print(f"  {name:10} {url}", highlight=False)
        console.print(f"dashboard: {running.urls['gateway']}/#key={running.api_key}", highlight=False, soft_wrap=True)
        console.print(f"ctrl-C stops everything; from elsewhere: kill {os.getpid()}", highlight=False)
        with suppress(KeyboardInterrupt):
            signal.pause()
        console.print("stopping: what was accepted is finished first")


def demo(
    speed: Annotated[float, typer.Option(help="Events a second.")] = 300.0,
    sabotage: Annotated[
        list[str] | None,
        typer.Option(help="A fault to put in: unit-change or bad-release; may be repeated. Default: the whole story."),
    ] = None,
    exit_: Annotated[
        bool,
        typer.Option(
            "--exit", help="End by itself, with status 1 if not all healed. Else it stays up to be looked at."
        ),
    ] = False,
    rounds: Annotated[int, typer.Option(help="Run the story so many times over, in one stack.")] = 1,
    data: Annotated[Path | None, typer.Option(help="Default: a new folder under .homeostat/demo.")] = None,
    port: Port = 8080,
) -> None:
    """Streams the electricity market through the system, breaks it on the way, and shows how it heals."""
    from homeostat.demo.run import run_demo  # imported here: the other commands start faster without it

    ends = exit_ or not sys.stdout.isatty()
    with _stopped():
        healed = run_demo(speed=speed, sabotage=tuple(sabotage or ()), ends=ends, rounds=rounds, data=data, port=port)
    if ends and not healed:
        raise typer.Exit(1)


@contextmanager
def _stopped() -> Iterator[None]:
    """Says when nothing runs any more, also where the block was interrupted (status 130, as a shell has it)."""
    try:
        yield
    except KeyboardInterrupt:
        console.print("stopped")
        raise typer.Exit(_INTERRUPTED) from None
    console.print("stopped")
