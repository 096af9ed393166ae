"""How throughput grows with partitions and processes: 1, 2, 4 and 8 of each, up to the cores and past them.

The predictor, exactly once, and the loop by hand, at least once, each with as many processes as partitions, work off
a backlog as in `benchmarks.streaming`. Broker, sender and reader take their share of the same cores. Ratios are to one
process by hand. Run it with `homeostat bench --only scale`.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console

from benchmarks.common import Figure, compared, in_turn, keep, options_in_rounds, table_of
from benchmarks.plain_model import plain_model
from benchmarks.streaming import Measure, rate
from benchmarks.workers import Workers
from homeostat.local.kafka import passing_kafka
from shared.bus.factory import connect
from shared.settings import common_settings

SIZES = (1, 2, 4, 8)
REFERENCE = "by hand, compiled, 1"


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--seconds", type=float, default=30.0, help="the longest that one worker is waited for")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap:
        figures = _measured(Path(name), bootstrap, given.events, given.seconds, given.rounds)
    what = f"answers a second on {os.cpu_count()} cores, by processes"
    Console().print(table_of(figures, what, REFERENCE))
    keep([asdict(each) for each in figures], given.json)
    return 0


def _measured(folder: Path, bootstrap: str, events: int, seconds: float, rounds: int) -> list[Figure]:
    bus = connect(common_settings({"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "HOMEOSTAT_DATA": str(folder)}))
    model, taken = plain_model(), {}
    with closing(bus.reader("bench")) as reader:
        for size in SIZES:
            workers = Workers(model, folder, bootstrap, bus, size)
            ours, place = workers.ours()
            for each in (ours.of(size), workers.by_hand("compiled").of(size)):
                taken[each.name] = partial(rate, each, Measure(place, reader, events, seconds))
        return compared(in_turn(taken, rounds), REFERENCE)


if __name__ == "__main__":
    raise SystemExit(main())
