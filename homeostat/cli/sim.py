"""`homeostat sim`: the whole system in virtual time, under seeded faults."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from homeostat.cli.options import Json
from homeostat.cli.output import console, errors, show_json, show_rows, show_text

app = typer.Typer(name="sim", help="The whole system in virtual time, under seeded faults.", no_args_is_help=True)

Faults = Annotated[
    str, typer.Option("--faults", help="These faults alone, by name with commas between; else what the seed draws.")
]
Out = Annotated[Path, typer.Option("--out", help="Where runs are written.")]
DEFAULT_OUT = Path(".homeostat/sim")
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeElapsedColumn(),
    TimeRemainingColumn(),
)


@app.command()
def run(
    seed: Annotated[int, typer.Option("--seed", help="Decides the world, the faults and the order of all turns.")],
    faults: Faults = "",
    out: Annotated[Path | None, typer.Option("--out", help="The run's folder. Default: .homeostat/sim/seed-N.")] = None,
    as_json: Json = False,
) -> None:
    """Runs one seed, checks every invariant and writes the whole log; status 1 where one does not hold."""
    from homeostat.simulation.campaign import outcome_of
    from homeostat.simulation.pinned import workers

    folder = out or DEFAULT_OUT / f"seed-{seed}"
    names = _names(faults)
    with errors.status(f"seed {seed}"), workers(1) as pool:
        outcome = pool.submit(outcome_of, seed, names, folder, always=True).result()
    if as_json:
        show_json({**asdict(outcome), "held": outcome.held, "folder": str(folder)})
    else:
        show_text(f"seed {seed}: {outcome.world}, {', '.join(outcome.faults) or 'no faults'}")
        rows = [{"invariant": v.invariant, "detail": v.detail} for v in outcome.violations]
        show_rows(rows, {"invariant": "broken", "detail": "how"}, empty=outcome.error or "every invariant holds")
        show_text(f"the log: {folder}")
    if not outcome.held:
        raise typer.Exit(1)


@app.command()
def many(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many.")] = 100,
    first: Annotated[int, typer.Option("--first", help="The first seed.")] = 0,
    faults: Faults = "",
    processes: Annotated[int, typer.Option("--processes", min=1, help="How many at once.")] = os.cpu_count() or 1,
    out: Out = DEFAULT_OUT,
    as_json: Json = False,
) -> None:
    """Runs many seeds; says which broke which invariant under which fault, and how to run them again."""
    from homeostat.simulation.campaign import Tally, command_for, outcomes

    names, tally = _names(faults), Tally()
    with Progress(*_COLUMNS, console=errors) as progress:
        bar = progress.add_task("seeds", total=seeds)
        for outcome in outcomes(range(first, first + seeds), names, out, processes):
            tally.add(outcome)
            progress.update(
                bar, advance=1, description=f"seeds, {len(tally.failed)} failed" if tally.failed else "seeds"
            )
    failed = [
        {"seed": each.seed, "broken": each.error or each.violations[0].invariant, "faults": list(each.faults),
         "detail": each.error or each.violations[0].detail, "again": command_for(each.seed, names)}
        for each in sorted(tally.failed, key=lambda each: each.seed)
    ]  # fmt: skip
    by_fault = [
        {"fault": name, "runs": count, "failed": tally.failed_by_fault[name]}
        for name, count in sorted(tally.by_fault.items())
    ]
    if as_json:
        show_json(
            {"runs": tally.runs, "failed": failed, "by_fault": by_fault, "by_invariant": dict(tally.by_invariant)}
        )
    else:
        show_rows(by_fault, {"fault": "fault", "runs": "runs", "failed": "failed"}, empty="no fault was drawn")
        console.print()
        _show_invariants(tally.by_invariant)
        if failed:
            console.print()
            show_rows(failed, {"broken": "broken", "detail": "how", "again": "again with"}, empty="")
        show_text(f"{tally.runs} runs, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


@app.command()
def diff(
    left: Annotated[Path, typer.Argument(help="A run's folder.")],
    right: Annotated[Path, typer.Argument(help="Another's.")],
    as_json: Json = False,
) -> None:
    """Compares two runs record by record; status 1 where they differ."""
    from homeostat.simulation.written import differences

    found = [each._asdict() for each in differences(left, right)]
    if as_json:
        show_json(found)
    else:
        show_rows(
            found,
            {"topic": "topic", "line": "first at", "left": str(left), "right": str(right)},
            empty="the same, byte for byte, on every topic",
        )
    if found:
        raise typer.Exit(1)


@app.command()
def soak(
    rows: Annotated[
        int,
        typer.Option("--rows", min=2_400_000, help="How many, each with a label; memories fill within 1,200,000."),
    ] = 10_000_000,
    as_json: Json = False,
) -> None:
    """Feeds a long stream through the data path and weighs every state; status 1 where one still grows at its end."""
    from homeostat.simulation.soak import growing, sizes

    found = []
    with Progress(*_COLUMNS, console=errors) as progress:
        bar = progress.add_task("rows", total=rows)
        for each in sizes(rows):
            found.append(each)
            progress.update(bar, completed=each.rows)
    grown = growing(found)
    if as_json:
        show_json({"sizes": [each._asdict() for each in found], "growing": grown})
    else:
        columns = {"rows": "rows", **{name: f"{name}, bytes" for name in found[-1].bytes}}
        show_rows([{"rows": each.rows, **each.bytes} for each in found], columns, empty="")
        show_text(f"still growing: {', '.join(grown)}" if grown else "no state grew in the second half")
    if grown:
        raise typer.Exit(1)


@app.command()
def faults(as_json: Json = False) -> None:
    """Lists the faults that a seed draws from."""
    from homeostat.simulation.faults import FAULTS

    rows = [
        {"fault": name, "in": about.where, "traceless": "yes" if about.traceless else "", "what": about.what}
        for name, about in FAULTS.items()
    ]
    if as_json:
        show_json(rows)
    else:
        show_rows(rows, {"fault": "fault", "in": "in", "traceless": "no trace", "what": "what happens"}, empty="")


def _show_invariants(broken: dict[str, int]) -> None:
    from homeostat.simulation.invariants import INVARIANTS

    rows = [{"name": name, "broken": broken.get(name, 0), "about": one.about} for name, one in INVARIANTS.items()]
    show_rows(rows, {"name": "invariant", "broken": "broken", "about": "promise"}, empty="")


def _names(faults: str) -> tuple[str, ...]:
    from homeostat.simulation.faults import known

    return tuple(known([name.strip() for name in faults.split(",") if name.strip()]))
