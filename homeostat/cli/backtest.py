"""`backtest`: the whole loop over a history, in virtual time."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from homeostat.cli.options import DEFAULT_DATA, Data, Json, Key, Pipeline, Url, connect, is_file
from homeostat.cli.output import console, errors
from shared.pipeline.load import load
from shared.pipeline.specification import Specification

if TYPE_CHECKING:
    from homeostat.backtesting import Backtest

USUAL = "static,periodic:5000,river-adaptive-tree,river-adaptive-forest"
Against = Annotated[
    str,
    typer.Option(
        help="Learners on the same rows: static, periodic:N, river-linear, river-adaptive-tree, … or none.",
        show_default=USUAL.replace(",", ", "),
    ),
]


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(backtest)


def backtest(
    *,
    pipeline: Pipeline,
    file: Annotated[
        str, typer.Argument(help="The history: CSV, Parquet or NDJSON, one event a row, its target beside it.")
    ],
    policy: Annotated[
        list[Path] | None,
        typer.Option(
            help="Policies to try, in YAML; given twice, the runs are compared. Default: those that hold live."
        ),
    ] = None,
    label_delay: Annotated[
        str | None, typer.Option(help="How long after its row a label comes: 2d, 96 rows. Default: as specified.")
    ] = None,
    against: Against = USUAL,
    seed: Annotated[int | None, typer.Option(help="Seed of all learning. Default: as specified.")] = None,
    rate: Annotated[float | None, typer.Option(help="Rows per virtual second. Default: the rows' own times.")] = None,
    batch: Annotated[int, typer.Option(help="Rows that arrive together.")] = 100,
    training_seconds: Annotated[float, typer.Option(help="Virtual seconds that a training takes.")] = 5.0,
    html: Annotated[Path | None, typer.Option(help="Where to write a page with charts; it needs no network.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: Key = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """What the whole loop would have done on a history, beside a static model, retraining on a schedule and river."""
    from homeostat import backtesting

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    specification = _specification(pipeline, url, api_key, data)
    _announce(backtesting.runs_of(specification, policy or (), against), len(policy or ()) or 1)
    with _Bars() as bars:
        found: Backtest = backtesting.backtest(
            specification,
            file,
            policies=policy or (),
            label_delay=label_delay,
            seed=seed,
            against=against,
            rate=rate,
            batch=batch,
            training_seconds=training_seconds,
            progress=bars.show,
        )
    _tell(found, html, as_json)


def _announce(planned: Sequence[str], policies: int) -> None:
    errors.print(_announced(planned, policies), highlight=False, soft_wrap=True)


def _announced(planned: Sequence[str], policies: int) -> str:
    """What will be run, and how to have the loop's own answer sooner.

    >>> _announced(["default", "static", "periodic:5000"], 1)
    '3 runs: default, static, periodic:5000; --against static for the quick answer'
    """
    told = f"{len(planned)} {'run' if len(planned) == 1 else 'runs'}: {', '.join(planned)}"
    slow = [name for name in planned[policies:] if name != "static"]
    return f"{told}; --against static for the quick answer" if slow else told


def _tell(found: Backtest, html: Path | None, as_json: bool) -> None:
    from homeostat.backtesting.table import show

    if html is not None:
        found.write_html(html)
        errors.print(f"page written to {html}", highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(found.json())
    else:
        show(found, console)


def _specification(pipeline: str, url: str | None, api_key: str | None, data: Path) -> Specification:
    if is_file(pipeline):
        return load(Path(pipeline))
    with connect(url, api_key, data) as client:
        return Specification.model_validate(client.get(f"/v1/pipelines/{pipeline}")["specification"])


class _Bars:
    """A progress bar for each part, on standard error."""

    def __init__(self) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=errors)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done)
