"""`pipeline …`: write, check and explain a specification; make it run."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Literal

import typer

from homeostat.cli.options import Json, on_gateway
from homeostat.cli.output import console, show_json, show_rows
from homeostat.client import Client
from shared.errors import HomeostatError
from shared.pipeline.load import load
from shared.topics import TOPICS

app = typer.Typer(help="Pipeline specifications.", no_args_is_help=True)
Spec = Annotated[Path, typer.Argument(help="The specification, in YAML.")]
Specs = Annotated[list[Path], typer.Argument(help="One or more specifications, in YAML.")]


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="CSV, Parquet or NDJSON.")],
    target: Annotated[str | None, typer.Option(help="The column to predict; none with --kind anomaly.")] = None,
    kind: Annotated[
        Literal["anomaly"] | None, typer.Option(help="Find unusual rows: no target, no labels. Else it is guessed.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="The pipeline's name; default: that of --out, else of the file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write it; default: standard output.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Writes a specification from a data file: kind, id, time, types, and ranges where a sign is plain.

    Each guess says in a comment what was seen. Read it and change it: it is a contract, rows that break it are refused.
    """
    from shared.pipeline.inference import specification_text  # imported here: only this command needs polars

    if out is not None and out.exists() and not force:
        raise HomeostatError(f"{out} is there already, perhaps with changes of yours: give another --out, or --force")
    if (target is None) == (kind is None):
        raise HomeostatError(_one_of_both(file, target))
    text = specification_text(file, target, name or (out.stem if out is not None else None))
    if out is None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)
        return
    out.write_text(text, encoding="utf-8")
    console.print(f"{out} written; read it, then: homeostat pipeline check {out}")


def _one_of_both(file: Path, target: str | None) -> str:
    if target is not None:
        return f"--kind anomaly predicts no column: leave out --target {target}, or --kind"
    start = f"homeostat pipeline init {quote(str(file))}"
    return (
        f"what is to be found in {file}? To predict a column: {start} --target COLUMN; "
        f"to find unusual rows, without any labels: {start} --kind anomaly"
    )


@app.command()
def check(specs: Specs, as_json: Json = False) -> None:
    """Checks specifications; every fault of every file with its line and field."""
    found = [_checked(spec) for spec in specs]
    if as_json:
        show_json(found)
    for each in [] if as_json else found:
        if each["ok"]:
            console.print(f"{each['file']} is right: pipeline {each['pipeline']}, {each['features']} features")
    if faults := [each["fault"] for each in found if not each["ok"]]:
        raise HomeostatError("\n".join(faults))


def _checked(spec: Path) -> dict[str, Any]:
    try:
        specification = load(spec)
    except HomeostatError as error:
        return {"file": str(spec), "ok": False, "fault": str(error)}
    return {
        "file": str(spec),
        "ok": True,
        "pipeline": specification.name,
        "features": len(specification.feature_names),
    }


@app.command()
def show(spec: Spec, as_json: Json = False) -> None:
    """The topics and features a specification makes."""
    specification = load(spec)
    if as_json:
        show_json(specification.canonical)
        return
    console.print(f"[bold]{specification.name}[/] ({specification.kind}), features {specification.definition}\n")
    features = [
        {"name": name, **spec.model_dump(), "statistic": spec.statistic if spec.window else None}
        for name, spec in specification.feature_specs.items()
    ]
    columns = {
        "name": "feature",
        "expression": "expression",
        "window": "window",
        "lag": "lag",
        "statistic": "statistic",
    }
    show_rows(features, columns, empty="no features")
    console.print()
    topics = [{"name": t.name, "by": list(t.writers), "for": list(t.readers), "about": t.about} for t in TOPICS]
    show_rows(topics, {"name": "topic", "by": "written by", "for": "read by", "about": "holds"}, empty="no topics")


@app.command()
@on_gateway
def apply(client: Client, spec: Spec, as_json: Json = False) -> None:
    """Makes a running system serve this specification; a change takes effect without a restart."""
    specification = load(spec)
    answer = client.define(specification.canonical)
    if as_json:
        show_json(answer)
        return
    console.print(f"{specification.name}: version {answer.get('version')} of its specification is in force")
