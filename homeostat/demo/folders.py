"""Where a run of the demo keeps its files, and which earlier runs' files stay."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from homeostat.local.discovery import is_running

FOLDER = Path(".homeostat/demo")
KEPT = 3
"""Runs whose files are kept, the newest included."""
CHART = "accuracy-{}.html"


def fresh_folder() -> Path:
    """A folder for a run that begins now."""
    return FOLDER / time.strftime("%Y%m%d-%H%M%S")


def clear_earlier(folder: Path) -> None:
    """Removes the runs beside `folder` but for the newest that came to their end, so that with it `KEPT` are left.

    A run that stopped before its chart was there counts as none. One whose stack still runs is left alone.
    """
    earlier = [each for each in sorted(folder.parent.glob("2*")) if each != folder and not is_running(each)]
    ended = [each for each in earlier if any(each.glob(CHART.format("*")))]
    for each in earlier:
        if each not in ended[-(KEPT - 1) :]:
            shutil.rmtree(each, ignore_errors=True)


def told(folder: Path, *, given: bool) -> str:
    """What to say of the run's folder; `given`: a person chose it, and nothing but a person removes it."""
    kept = "that folder may be deleted" if given else f"of finished runs there, the last {KEPT} are kept, no others"
    return f"this run's files are in {folder} ({_megabytes(folder):,.0f} MB); {kept}"


def _megabytes(folder: Path) -> float:
    """What it takes on the disk: Kafka's files are longer than what is in them."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file()) / 1e6
