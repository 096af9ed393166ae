"""Which parts a stack has, on which ports, with which environment."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar
from urllib.parse import urlsplit

from homeostat.local.errors import PortInUse, Taken
from homeostat.local.guard import Guard
from homeostat.local.jars import missing_jars
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.keys import SIGNING_KEY, environ_of, hash_of, kept_secret
from homeostat.local.mlflow import mlflow_part
from homeostat.local.parts import Part
from homeostat.local.process import claim_port, is_free, reserve_port
from homeostat.local.redis import redis_part
from homeostat.local.service import service_part
from homeostat.local.settings import KAFKA_PORT, PREDICTOR_PORT, StackSettings

T = TypeVar("T")
_LISTENER = re.compile(r"^advertised\.listeners=PLAINTEXT://[^:]+:(\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Layout:
    """`environ` is what the services are given (each only its own secrets), `public_environ` what is no secret.

    `service` makes one more instance of a service. `notes` say what a person should know.
    `reservation` keeps Kafka's usual port for this stack.
    """

    parts: tuple[Part, ...]
    urls: dict[str, str]
    environ: dict[str, str]
    public_environ: dict[str, str]
    service: Callable[[str, int], Part]
    notes: tuple[str, ...]
    reservation: TextIO | None = None

    def release(self) -> None:
        """Gives the reserved port back."""
        if self.reservation:
            self.reservation.close()


def settle(settings: StackSettings, api_key: str, guard: Guard) -> Layout:
    """Settles every port, so that all can start at once. `PortInUse` names all that are taken and their settings."""
    claims = _Claims()
    gateway = claims.settled(lambda: claim_port("gateway", settings.port, "--port or HOMEOSTAT_PORT"), settings.port)
    predictor = claims.settled(
        lambda: claim_port("predictor", settings.predictor_port, PREDICTOR_PORT), settings.predictor_port
    )
    kafka, redis, mlflow = (
        claims.settled(partial(make, settings, guard), _Server("")) for make in (_kafka, _redis, _mlflow)
    )
    if claims.taken:
        if kafka.reservation:
            kafka.reservation.close()
        raise PortInUse(*claims.taken, instead=_instead(settings, claims.taken))
    public = {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
        "REDIS_URL": redis.address,
        "MLFLOW_TRACKING_URI": mlflow.address,
        "HOMEOSTAT_DATA": str(settings.data_dir),
        "HOMEOSTAT_TOPIC_PREFIX": settings.environ.get("HOMEOSTAT_TOPIC_PREFIX", ""),
        "HOMEOSTAT_PORT": str(gateway),
        PREDICTOR_PORT: str(predictor),
        "HOMEOSTAT_PREDICTOR_URL": f"http://127.0.0.1:{predictor}",
    }
    environ = {**settings.environ, **_secrets(settings, api_key), **public}

    def service(name: str, instance: int) -> Part:
        return service_part(name, instance, environ_of(name, environ), settings.data_dir / "logs", guard)

    services = [service(name, 0) for name in settings.services]
    parts = [server.part for server in (redis, kafka) if server.part] + services
    servers = {"kafka": kafka, "redis": redis, "mlflow": mlflow}
    return Layout(
        parts=(*parts, mlflow.part) if mlflow.part else tuple(parts),
        urls={"gateway": f"http://127.0.0.1:{gateway}", "predictor": f"http://127.0.0.1:{predictor}"}
        | {name: without_password(server.address) for name, server in servers.items()},
        environ=environ,
        public_environ={name: without_password(value) for name, value in public.items()},
        service=service,
        notes=tuple(each.note for each in servers.values() if each.note),
        reservation=kafka.reservation,
    )


def _instead(settings: StackSettings, taken: Sequence[Taken]) -> str:
    """What to say on the command line, where the ports that people ask on are taken; else nothing."""
    if not {each.part for each in taken} & {"gateway", "predictor"}:
        return ""
    port = next((each for each in range(settings.port + 10, 65_000, 10) if is_free(each) and is_free(each + 1)), 0)
    if PREDICTOR_PORT in settings.environ:
        return f", for instance {PREDICTOR_PORT}={port + 1} with --port {port}"
    return f"; for instance --port {port}: the predictor takes the next, {port + 1}. --port 0 takes any that are free"


def without_password(address: str) -> str:
    """The address as it may be shown and written down.

    >>> without_password("redis://user:secret@10.0.0.7:6379/0")
    'redis://user:***@10.0.0.7:6379/0'
    """
    password = urlsplit(address).password if "://" in address else None
    return address.replace(f":{password}@", ":***@", 1) if password else address


@dataclass(slots=True)
class _Claims:
    """What was settled so far, to be told of all that is taken at once."""

    taken: list[Taken] = field(default_factory=list)

    def settled(self, claim: Callable[[], T], wanted: T) -> T:
        """What `claim` comes to; `wanted` where that is taken, which is noted."""
        try:
            return claim()
        except PortInUse as error:
            self.taken += error.taken
            return wanted


@dataclass(frozen=True, slots=True)
class _Server:
    """A server's address, and its part where the stack runs it. `note`: what a person should know."""

    address: str
    part: Part | None = None
    note: str = ""
    reservation: TextIO | None = None


def _redis(settings: StackSettings, guard: Guard) -> _Server:
    if settings.redis_url:
        return _Server(settings.redis_url, note=f"redis is the one at {without_password(settings.redis_url)}")
    port = claim_port("redis", settings.redis_port, "REDIS_PORT")
    log = settings.data_dir / "logs" / "redis.log"
    return _Server(f"redis://127.0.0.1:{port}/0", redis_part(settings.data_dir / "redis", log, port, guard))


def _mlflow(settings: StackSettings, guard: Guard) -> _Server:
    given = settings.mlflow_tracking_uri
    if given:
        return _Server(given, note=f"mlflow is the one at {without_password(given)}")
    port = claim_port("mlflow", settings.mlflow_port, "MLFLOW_PORT")
    log = settings.data_dir / "logs" / "mlflow.log"
    part = mlflow_part(settings.data_dir / "mlflow", log, port, guard, settings.services)
    return _Server(f"http://127.0.0.1:{port}", part)


def _secrets(settings: StackSettings, api_key: str) -> dict[str, str]:
    given = settings.environ.get("HOMEOSTAT_API_KEY_HASHES", "")
    hashes = ",".join(filter(None, (f"local:{hash_of(api_key)}", given)))
    signing = settings.environ.get("HOMEOSTAT_SIGNING_KEY") or kept_secret(settings.data_dir / SIGNING_KEY)[0]
    return {"HOMEOSTAT_API_KEY_HASHES": hashes, "HOMEOSTAT_SIGNING_KEY": signing}


def _kafka(settings: StackSettings, guard: Guard) -> _Server:
    if settings.bootstrap_servers:
        return _Server(settings.bootstrap_servers, note=f"kafka is the one at {settings.bootstrap_servers}")
    port, reservation = _kafka_port(settings)
    own = KafkaSettings(
        data_dir=settings.data_dir / "kafka",
        log=settings.data_dir / "logs" / "kafka.log",
        port=port,
        controller_port=settings.kafka_controller_port,
        heap=settings.kafka_heap,
        jvm_options=settings.kafka_jvm_options,
        cache=settings.cache,
        maven=settings.maven,
    )
    broker = EmbeddedKafka(own, guard)
    broker.claim_ports()

    part = Part("kafka", broker.child, broker.start, broker.ready, broker.ready, service="kafka", stop_seconds=20)
    fetched = f"kafka is fetched first, once, into {settings.cache} (45 MB)" if missing_jars(settings.cache) else ""
    return _Server(broker.bootstrap_servers, part, fetched, reservation)


def _kafka_port(settings: StackSettings) -> tuple[int, TextIO | None]:
    """The port that was asked for; else this folder's last one, else the usual one, where it is free; else any."""
    if settings.kafka_port:
        return settings.kafka_port, None
    usual = KAFKA_PORT if settings.kafka_port is None else 0
    for port in filter(None, (_last_port(settings.data_dir), usual)):
        if (reservation := reserve_port(port)) is not None:
            try:
                return claim_port("kafka", port, "KAFKA_PORT"), reservation
            except PortInUse:
                reservation.close()
    return 0, None


def _last_port(data_dir: Path) -> int | None:
    """The port on which the Kafka of this folder listened last; None where none ever did."""
    try:
        found = _LISTENER.search((data_dir / "kafka" / "server.properties").read_text())
    except FileNotFoundError:
        return None
    return int(found[1]) if found else None
