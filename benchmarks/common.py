"""What every benchmark is told, and where its figures go."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any


def options(about: str | None) -> argparse.ArgumentParser:
    """A parser with the option that all of them have; `about` is the benchmark's own docstring."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--json", type=Path, default=None, help="where the figures are written")
    return parser


def options_in_rounds(about: str | None) -> argparse.ArgumentParser:
    """As `options`, for a benchmark that takes its workers in turn."""
    parser = options(about)
    parser.add_argument("--rounds", type=int, default=3)
    return parser


def keep(figures: Any, path: Path | None) -> None:
    """Writes the figures as JSON, where a path is given."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2) + "\n")
