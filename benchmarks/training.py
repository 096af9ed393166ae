"""From `retrain` to the new version answering, on 100,000 labelled rows, the search budget off; and where it goes.

The whole stack, on the electricity stream repeated under fresh ids, with a gate that lets every version pass. Beside
it what scikit-learn takes to fit the same learner on the same rows, once, with nothing around it. Then a first training
of these rows in this process under a profiler, for the share of each stage. Run it with
`homeostat bench --only training`.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import tempfile
import warnings
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from rich.console import Console
from rich.table import Table

from benchmarks.common import compared, in_turn, keep, options_in_rounds, table_of
from benchmarks.compiled_models import EXAMPLE
from benchmarks.place import until
from benchmarks.whole_path import records
from homeostat.client import ApiError, Client
from homeostat.demo.offline import features_of
from homeostat.local.stack import Stack, stack_settings
from homeostat.rows import Row, frame_of, rows_of
from services.trainer.core.candidates import candidates_for
from services.trainer.core.fitting import data_of, fitted
from services.trainer.core.orders import Order
from services.trainer.making import Maker
from shared.bus.base import Bus
from shared.bus.factory import connect
from shared.errors import HomeostatError
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from shared.settings import CommonSettings, common_settings
from shared.topics import LABELS, RAW_DATA

OURS, FLOOR = "homeostat, retrain to answering", "scikit-learn, one fit of the same rows"
PATIENCE_SECONDS = 300.0
FRESH_ROWS = 500
STAGES = {
    "newest_set": "rows read from the log, joined with their labels",
    "features_of": "rows as the learner's dictionaries",
    "data_of": "the matrix",
    "_searched": "candidates tried",
    "length_of": "how much of the past",
    "fitted": "fits, those of the stages above among them",
    "_judged": "the gate",
    "kept": "compiled, proven, packed and signed",
}
"""Functions of the trainer by what they do; a stage within another counts in both."""


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    given = arguments.parse_args()
    warnings.simplefilter("ignore")
    table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))
    specification = _specification(given.rows)
    with tempfile.TemporaryDirectory() as name, Stack(stack_settings(Path(name), 0, os.environ)) as stack:
        stack.start(progress=Console(stderr=True).print)
        settings = common_settings(stack.environ)
        bus = connect(settings)
        with Client(stack.urls["gateway"], stack.api_key) as client:
            client.define(specification.canonical)
            stream = Stream(bus, settings, table)
            stream.send(given.rows)
            until(lambda: bool(_versions(client, specification)), PATIENCE_SECONDS)
            workers = {
                OURS: partial(_retrained, client, specification, stream),
                FLOOR: partial(_fitted, specification, [table[i % len(table)] for i in range(given.rows)]),
            }
            figures = compared(in_turn(workers, given.rounds), FLOOR)
        stages = _stages(specification, settings, bus)
    Console().print(table_of(figures, f"{given.rows:,} rows: seconds", FLOOR, 2))
    Console().print(_table(stages))
    keep({"seconds": [asdict(each) for each in figures], "stages": stages}, given.json)
    return 0


def shares_of(seconds: Mapping[str, float], whole: float) -> dict[str, float]:
    """What part of the whole each stage takes.

    >>> shares_of({"fit": 1.0, "gate": 0.5}, 2.0)
    {'fit': 0.5, 'gate': 0.25}
    """
    return {name: value / whole for name, value in seconds.items()}


def _specification(rows: int) -> Specification:
    """The example's, on so many rows, without a search; its gate compares and refuses nothing."""
    document = load(EXAMPLE / "pipeline.yaml").canonical
    budget = {"search": {"seconds": 0, "trials": 0}, "train_rows": rows, "min_rows": rows}
    gate = {**document.get("gate", {}), "min_improvement": -1.0, "must_beat_baseline": False}
    return Specification.model_validate({**document, "models": {**document["models"], **budget}, "gate": gate})


@dataclass
class Stream:
    """Labelled rows for `raw-data`, the table over and over, each under an id of its own."""

    bus: Bus
    settings: CommonSettings
    table: list[Row]
    sent: int = 0

    def send(self, rows: int) -> None:
        """So many more."""
        producer = self.bus.producer("bench")
        for chunk in records(self.settings.full_name(RAW_DATA.name), self.table, self.sent, self.sent + rows):
            producer.send(chunk, 120.0)
        self.sent += rows

    def freshen(self) -> None:
        """New rows, and their labels on the log: of the same rows the same version would be made again."""
        before = self._labels()
        self.send(FRESH_ROWS)
        until(lambda: self._labels() >= before + FRESH_ROWS // 2, PATIENCE_SECONDS)

    def _labels(self) -> int:
        with closing(self.bus.reader("bench")) as reader:
            return sum(reader.end_offsets(self.settings.full_name(LABELS.name)).values())


def _versions(client: Client, specification: Specification) -> list[str]:
    """What the predictor answers with by now."""
    try:
        return list(client.get(f"/v2/models/{specification.name}")["versions"])
    except ApiError:
        return []


def _retrained(client: Client, specification: Specification, stream: Stream) -> float:
    """Seconds from the request to another version answering."""
    stream.freshen()
    before = _versions(client, specification)
    begun = perf_counter()
    client.call("POST", f"/v1/pipelines/{specification.name}/retrain", json={"reason": "the benchmark"})
    until(lambda: bool(set(_versions(client, specification)) - set(before)), PATIENCE_SECONDS)
    return perf_counter() - begun


def _fitted(specification: Specification, table: list[Row]) -> float:
    """Seconds of one fit of the first candidate with its defaults, features and matrix made before."""
    labels = [row[str(specification.target)] for row in table]
    data = data_of(specification, features_of(specification, table), labels)
    candidate = candidates_for(specification.kind, ())[0]
    begun = perf_counter()
    fitted(candidate, candidate.defaults, data, specification.models.seed)
    return perf_counter() - begun


def _stages(specification: Specification, settings: CommonSettings, bus: Bus) -> dict[str, float]:
    """Seconds of each stage, and of the whole (`""`), of a first training of these rows: there is no champion."""
    order = Order(
        pipeline=specification.name,
        specification=specification.canonical,
        specification_version=1,
        code_revision="",
        search=False,
    )
    profile = cProfile.Profile()
    with closing(bus.reader("bench")) as reader:
        begun = perf_counter()
        judged = profile.runcall(Maker.of(order, specification, reader, settings).trained)
        whole = perf_counter() - begun
    if judged.candidate is None:
        raise HomeostatError(f"nothing was trained: {judged.verdict.reasons}")
    found: Any = pstats.Stats(profile)
    seconds = {
        name: sum(
            each[3] for (file, _, function), each in found.stats.items() if function == name and "services" in file
        )
        for name in STAGES
    }
    return {**seconds, "": whole}


def _table(stages: Mapping[str, float]) -> Table:
    table = Table("stage of a training, under the profiler", "s", "share")
    whole = stages[""]
    shares = shares_of(stages, whole)
    for name, what in {**STAGES, "": "all of it"}.items():
        table.add_row(what, f"{stages[name]:.2f}", f"{shares[name]:.0%}")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
