"""A predictor's restart: from the start of its process to its first prediction, its state and models there.

On a real broker. The same forest is published once as its estimator (`skops`) and once compiled, each to a
predictor of its own; these are stopped and started in turn. Run it with `homeostat bench --only restart`.
"""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.common import keep, options_in_rounds
from benchmarks.compiled_models import EXAMPLE, FOREST, rows_with_labels, trained
from benchmarks.opened import KEY
from benchmarks.place import Place, environ_of, until
from homeostat.local.kafka import passing_kafka
from services.trainer.packing import kept
from shared.clock import monotonic
from shared.models.artifact import keep as stored
from shared.models.artifact import package
from shared.models.store import FileStore
from shared.pipeline.load import load


@dataclass(frozen=True)
class Start:
    """One start: seconds to the first prediction, processor seconds and resident bytes when it was there."""

    seconds: float
    processor_seconds: float
    resident_bytes: int


def main() -> int:
    arguments = options_in_rounds(__doc__)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap:
        found = _measured(Path(name), bootstrap, max(3, given.rounds))
    Console().print(_table(found))
    keep({form: [asdict(each) for each in starts] for form, starts in found.items()}, given.json)
    return 0


def _measured(folder: Path, bootstrap: str, rounds: int) -> dict[str, list[Start]]:
    specification = load(EXAMPLE / "pipeline.yaml")
    rows, labels = rows_with_labels(specification)
    model, store = trained(specification, FOREST, rows, labels), FileStore(folder / "artifacts")
    artifacts = {
        "skops": stored(*package(model.estimator, model.metadata), store, KEY),
        "compiled": kept(model, rows, store, KEY).artifact,
    }
    places = {
        form: Place(environ_of(folder, bootstrap, form), specification, artifact, rows)
        for form, artifact in artifacts.items()
    }
    for place in places.values():
        place.first()
    found: dict[str, list[Start]] = {form: [] for form in places}
    for _ in range(rounds):
        for form, place in places.items():
            found[form].append(_again(place))
    return found


def _again(place: Place) -> Start:
    """A start on the state that is there, with rows waiting."""
    before = place.predictions()
    place.send(10)
    begun = monotonic()
    with place.running() as process:
        until(lambda: place.predictions() > before)
        seconds = monotonic() - begun
        found = psutil.Process(process.pid)
        times = found.cpu_times()
        return Start(seconds, times.user + times.system, found.memory_info().rss)


def _table(found: dict[str, list[Start]]) -> Table:
    table = Table("format", "to the first prediction, s", "processor, s", "resident, MiB")
    for form, starts in found.items():
        seconds = [each.seconds for each in starts]
        table.add_row(
            form,
            f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})",
            f"{statistics.median(each.processor_seconds for each in starts):.2f}",
            f"{statistics.median(each.resident_bytes for each in starts) / 2**20:.0f}",
        )
    return table


if __name__ == "__main__":
    raise SystemExit(main())
