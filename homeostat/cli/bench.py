"""`bench`: the project's benchmarks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from shared.errors import HomeostatError, Misconfigured

CHECKOUT = Path(__file__).parents[2]


def register(app: typer.Typer) -> None:
    """Adds this command to `app`."""
    app.command()(bench)


def bench(
    rows: Annotated[int, typer.Option(help="Events to put through the whole path.")] = 100_000,
    out: Annotated[Path | None, typer.Option(help="Where the figures are written, as JSON.")] = None,
) -> None:
    """Events per second through ingest, predictor and monitor, exactly once, on this machine."""
    if not (CHECKOUT / "benchmarks").is_dir():
        raise Misconfigured(f"no benchmarks in {CHECKOUT}: they come with the project's checkout, not its package")
    command = [sys.executable, "-m", "benchmarks.whole_path", "--rows", str(rows)]
    if out is not None:
        command += ["--json", str(out.resolve())]
    if subprocess.run(command, cwd=CHECKOUT, check=False).returncode != 0:
        raise HomeostatError("the benchmark did not end well: see above")
