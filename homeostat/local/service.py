"""One of the six services as a child process."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.parts import Part, http_ok
from homeostat.local.process import Child, free_port

FRUGAL = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "PYTHONUNBUFFERED": "1",
}
"""Many small processes share few cores: none of them opens a pool of threads of its own."""


def service_part(service: str, instance: int, environ: Mapping[str, str], logs: Path, guard: Guard) -> Part:
    """`python -m services.<service>` with `environ`, asked for its health on a port of its own.

    The gateway is asked on the port where people ask. It starts beside Kafka and waits for it by itself.
    """
    name = service if instance == 0 else f"{service}-{instance}"
    child = Child(name, logs / f"{name}.log", guard)
    port = int(environ["HOMEOSTAT_PORT"]) if service == "gateway" else free_port()
    own = {"HOMEOSTAT_INSTANCE": str(instance), "HOMEOSTAT_HEALTH_PORT": "0" if service == "gateway" else str(port)}
    if instance > 0:
        own["HOMEOSTAT_PREDICTOR_PORT"] = "0"  # the first has the known one

    def launch() -> None:
        # -P: a folder called `services` where the user happens to stand is not ours
        child.start([sys.executable, "-P", "-m", f"services.{service}"], {**environ, **FRUGAL, **own})

    return Part(
        name,
        child,
        launch,
        ready=lambda: child.listens_on(port) and http_ok(port, "/readyz"),
        alive=lambda: http_ok(port, "/livez"),
        service=service,
        instance=str(instance),
    )
