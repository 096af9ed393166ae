"""Kafka's jars: which ones (a lock with a SHA-256 each), fetched once, kept in the user's cache.

`python -m homeostat.local.jars` fetches them ahead (`make setup`); `--lock` writes the lock anew
(`make lock`).
"""

from __future__ import annotations

import hashlib
import os
import ssl
import sys
import tomllib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import certifi
import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from shared.errors import Misconfigured, Transient

KAFKA_VERSION = "4.3.0"
LOCK = Path(__file__).with_name("kafka-jars.lock.toml")
MAVEN = ""
"""Maven Central, at the address that the resolver has."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar of the lock. `coordinate` is group:artifact:version."""

    coordinate: str
    sha256: str

    @property
    def file(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        """Where it lies in any Maven repository."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file}"


def locked_jars() -> list[Jar]:
    """The jars of the lock, in its order."""
    return [Jar(**entry) for entry in tomllib.loads(LOCK.read_text())["jar"]]


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """HOMEOSTAT_CACHE, else the user's cache folder."""
    if chosen := environ.get("HOMEOSTAT_CACHE"):
        return Path(chosen)
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homeostat"


def kafka_class_path(cache: Path, maven: str = MAVEN) -> str:
    """Kafka's class path. Jars that `cache` lacks are fetched from the Maven repository `maven`.

    Every fetched jar is held against the lock's SHA-256 before it gets its name.
    """
    folder = _folder(cache)
    folder.mkdir(parents=True, exist_ok=True)
    if missing := missing_jars(cache):
        with (
            httpx.Client(verify=_trusted(), follow_redirects=True, timeout=60) as client,
            ThreadPoolExecutor(8) as pool,
        ):
            root = maven or _maven_central()
            list(pool.map(lambda jar: _fetch(client, f"{root}/{jar.path}", jar, folder), missing))
    return os.pathsep.join(str(folder / jar.file) for jar in locked_jars())


def missing_jars(cache: Path) -> list[Jar]:
    """The jars that have to be fetched still."""
    return [jar for jar in locked_jars() if not (_folder(cache) / jar.file).exists()]


def _folder(cache: Path) -> Path:
    return cache / f"kafka-{KAFKA_VERSION}"


@retry(retry=retry_if_exception_type(Transient), stop=stop_after_attempt(4), wait=wait_exponential(max=8), reraise=True)
def _fetch(client: httpx.Client, url: str, jar: Jar, folder: Path) -> None:
    try:
        content = client.get(url).raise_for_status().content
    except httpx.HTTPError as error:
        raise Transient(
            f"cannot fetch {url}: {error}. Kafka needs it once; set HOMEOSTAT_MAVEN to a mirror, "
            "or KAFKA_BOOTSTRAP_SERVERS to a Kafka that runs already"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != jar.sha256:
        raise Misconfigured(f"{url} has SHA-256 {found}, not {jar.sha256} as {LOCK.name} says: it was not used")
    part = folder / f"{jar.file}.{os.getpid()}.part"
    part.write_bytes(content)
    part.replace(folder / jar.file)


def _maven_central() -> str:
    from jgo.constants import MAVEN_CENTRAL_URL  # imported here: only who fetches needs the resolver

    return str(MAVEN_CENTRAL_URL)


def _trusted() -> ssl.SSLContext:
    context = ssl.create_default_context()  # the system's own authorities, a company's proxy included
    context.load_verify_locations(certifi.where())
    return context


def write_lock() -> None:
    """Resolves Kafka and a log binding of the same Log4j anew and writes the lock."""
    import jgo

    kafka = jgo.resolve(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}")
    log4j = next(jar.version for jar in kafka if jar.artifactId == "log4j-core")
    binding = jgo.resolve(f"org.apache.logging.log4j:log4j-slf4j-impl:{log4j}")[:1]
    lines = ["# Written by `make lock`: Apache Kafka's jars and what they need."]
    for jar in [*kafka, *binding]:
        digest = hashlib.sha256(jar.resolve().read_bytes()).hexdigest()
        name = f"{jar.groupId}:{jar.artifactId}:{jar.version}"
        lines += ["", "[[jar]]", f'coordinate = "{name}"', f'sha256 = "{digest}"']
    LOCK.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    if "--lock" in sys.argv[1:]:
        write_lock()
    else:
        kafka_class_path(cache_folder(), os.environ.get("HOMEOSTAT_MAVEN", MAVEN).rstrip("/"))
