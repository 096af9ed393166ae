"""`homeostat`: the command line. One file per group of commands.

Exit status: 0 done, 1 what was asked failed, 2 bad usage. Every option has an environment variable:
``homeostat up --pipeline`` is ``HOMEOSTAT_UP_PIPELINE``; `--help` shows those that are called otherwise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from inspect import cleandoc
from typing import Any

import typer
from rich.markup import escape
from typer.main import get_command

from homeostat.cli import (
    alerts,
    audit,
    backtest,
    bench,
    data,
    holding,
    incidents,
    models,
    pipelines,
    quarantine,
    sim,
    stack,
    status,
    verify,
)
from homeostat.cli.output import errors
from homeostat.cli.reproduce import reproduce
from shared.errors import HomeostatError

app = typer.Typer(
    name="homeostat",
    help="A self-healing machine-learning system on Kafka.",
    epilog="Every option can be given as an environment variable too: `homeostat send --rate` is HOMEOSTAT_SEND_RATE.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"auto_envvar_prefix": "HOMEOSTAT", "help_option_names": ["-h", "--help"]},
)
models.app.command()(reproduce)
stack.register(app)
status.register(app)
data.register(app)
alerts.register(app)
holding.register(app)
backtest.register(app)
bench.register(app)
verify.register(app)
app.add_typer(pipelines.app, name="pipeline")
app.add_typer(models.app, name="models")
app.add_typer(incidents.app, name="incidents")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(audit.app, name="audit")
app.add_typer(sim.app, name="sim")


def main(words: Sequence[str] | None = None) -> None:
    """Runs one command (None: the process's own words); a known error is one message on standard error."""
    command = get_command(app)
    _for_readers(command)
    try:
        command(words, prog_name="homeostat")
    except HomeostatError as error:
        errors.print("[bold red]error[/]:", escape(str(error)), highlight=False, soft_wrap=True)
        sys.exit(1)


def _for_readers(command: Any) -> None:
    """Paragraphs of help flow; an option's variable is shown where it is not called after the option."""
    if command.help:
        command.help = "\n\n".join(" ".join(each.split()) for each in cleandoc(command.help).split("\n\n"))
    for parameter in command.params:
        if getattr(parameter, "envvar", None) is None and hasattr(parameter, "show_envvar"):
            parameter.show_envvar = False
    for each in getattr(command, "commands", {}).values():
        _for_readers(each)
