"""Single-row prediction over REST: our predictor beside `mlflow models serve`, MLServer and BentoML, the same model.

All servers run beside each other, one process of each asked at a time by the same client (`benchmarks.load`), with one
connection and with 32. The predictor serves its model from Kafka, compiled as it was published; our gateway is measured
before it, for what its hop adds. `no model` answers the same bytes to all: what the client could ask for. Run it with
`homeostat bench --only rest`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.common import compared, keep, options_in_rounds
from benchmarks.load import Load, load
from benchmarks.place import Place, environ_of
from benchmarks.plain_model import PlainModel, plain_model
from benchmarks.servers import Server, bentoml, gateway, limit, matrix_request, mlflow, mlserver
from homeostat.local.kafka import passing_kafka
from homeostat.local.process import free_port
from shared.models.store import FileStore

OURS, PEER = "homeostat, the predictor", "mlflow models serve"
CONNECTIONS = (1, 32)
WARM_SECONDS = 1.0

Loads = dict[str, list[Load]]


def main() -> int:
    arguments = options_in_rounds(__doc__)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of load on each server, each round")
    given = arguments.parse_args()
    model = plain_model()
    found: dict[int, Loads] = {}
    with tempfile.TemporaryDirectory() as name, passing_kafka(Path(name)) as bootstrap, ExitStack() as running:
        servers = _started(model, Path(name), bootstrap, running)
        for connections in CONNECTIONS:
            found[connections] = _measured(servers, connections, given.seconds, max(3, given.rounds))
    console = Console()
    for connections, loads in found.items():
        console.print(_table(connections, loads))
    keep(
        {str(n): {name: [asdict(one) for one in each] for name, each in loads.items()} for n, loads in found.items()},
        given.json,
    )
    return 0


def _table(connections: int, loads: Loads) -> Table:
    """Good answers and how long they took, with ratios to `PEER`."""
    title = "1 connection" if connections == 1 else f"{connections} connections"
    table = Table("server", "answers a second", "times MLflow's", "p50, ms", "p99, ms", "times MLflow's", title=title)
    parts: tuple[Callable[[Load], float], ...] = (lambda one: one.rate, lambda one: one.p50, lambda one: one.p99)
    by_part = [compared({name: [part(one) for one in each] for name, each in loads.items()}, PEER) for part in parts]
    for rate, p50, p99 in zip(*by_part, strict=True):
        spread = f"{rate.median:,.0f} ({min(rate.figures):,.0f} to {max(rate.figures):,.0f})"
        cells = (spread, f"{rate.ratio:.3g}", f"{p50.median:.2f}", f"{p99.median:.2f}", f"{p99.ratio:.2g}")
        table.add_row(rate.worker, *cells)
    return table


def _started(model: PlainModel, folder: Path, bootstrap: str, running: ExitStack) -> dict[str, Server]:
    """Every server, answering."""
    environ = environ_of(folder, bootstrap, "rest") | {"HOMEOSTAT_PREDICTOR_PORT": str(free_port())}
    place = Place(environ, model.specification, model.kept(FileStore(folder / "artifacts")), model.rows)
    place.first()
    running.enter_context(place.running())
    path = f"/v2/models/{model.specification.name}/infer"
    ours = Server(int(environ["HOMEOSTAT_PREDICTOR_PORT"]), path, matrix_request(model))
    return {
        OURS: ours,
        "homeostat, through the gateway": running.enter_context(gateway(ours, environ, folder)),
        PEER: running.enter_context(mlflow(model, folder)),
        "MLServer": running.enter_context(mlserver(model, folder)),
        "BentoML": running.enter_context(bentoml(model, folder)),
        "no model": running.enter_context(limit(model, folder)),
    }


def _measured(servers: Mapping[str, Server], connections: int, seconds: float, rounds: int) -> Loads:
    found: Loads = {name: [] for name in servers}
    for server in servers.values():
        load(server.port, server.path, server.body, connections, WARM_SECONDS)
    for _ in range(rounds):
        for name, server in servers.items():
            found[name].append(load(server.port, server.path, server.body, connections, seconds))
    return found


if __name__ == "__main__":
    raise SystemExit(main())
