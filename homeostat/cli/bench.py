"""`bench`: the project's benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from shared.errors import HomeostatError, Misconfigured

CHECKOUT = Path(__file__).parents[2]
BENCHMARKS = (
    "whole-path",
    "streaming",
    "restart",
    "compiled-models",
    "backtest",
    "monitoring",
    "features",
    "learning",
    "rest",
    "latency",
    "scale",
    "training",
)


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(bench)


def bench(
    rows: Annotated[int, typer.Option(help="Events to put through the whole path.")] = 100_000,
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(BENCHMARKS)}: these; else all.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the figures are written, as JSON by benchmark.")] = None,
) -> None:
    """How fast it is, each figure beside what one would use instead: docs/benchmarks.md says how to read them."""
    if not (CHECKOUT / "benchmarks").is_dir():
        raise Misconfigured(f"no benchmarks in {CHECKOUT}: they come with the project's checkout, not its package")
    for name in only or ():
        if name not in BENCHMARKS:
            raise Misconfigured(f"--only {name!r} is no benchmark; known are {', '.join(BENCHMARKS)}")
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in only or BENCHMARKS:
            options = ["--rows", str(rows)] if name == "whole-path" else []
            figures[name] = _figures_of(name, options, Path(folder) / f"{name}.json")
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n")


def _figures_of(name: str, options: list[str], written: Path) -> Any:
    module = f"benchmarks.{name.replace('-', '_')}"
    command = [sys.executable, "-m", module, *options, "--json", str(written)]
    if subprocess.run(command, cwd=CHECKOUT, check=False).returncode != 0:
        raise HomeostatError(f"the benchmark {name} did not end well: see above")
    return json.loads(written.read_text())
