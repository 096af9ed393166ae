"""Where snapshots are kept: Redis where there is one, files beside it, and never a reason to stop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog

from shared.clock import monotonic
from shared.state.snapshot import CorruptSnapshot, Snapshot, pack, unpack

_log = structlog.get_logger("homeostat.state")

REDIS_REST_SECONDS = 30.0
"""After Redis failed it is left alone for this long, so that its timeouts slow neither steps nor starts."""


BESIDE_SECONDS = 60.0
"""How often a snapshot also goes to the next store: Redis may forget, and the journal is not kept for ever."""


class SnapshotStore(Protocol):
    """Bytes by name. `OSError` when it is away."""

    def save(self, name: str, data: bytes) -> None: ...

    def load(self, name: str) -> bytes | None: ...


class MemoryStore:
    """For tests and simulation: lives as long as the object."""

    def __init__(self) -> None:
        self.saved: dict[str, bytes] = {}

    def save(self, name: str, data: bytes) -> None:
        self.saved[name] = data

    def load(self, name: str) -> bytes | None:
        return self.saved.get(name)


class FileStore:
    """One file per name, replaced as a whole: a crash leaves the earlier one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def save(self, name: str, data: bytes) -> None:
        path = self.path_of(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}.new")
        with beside.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)

    def load(self, name: str) -> bytes | None:
        try:
            return self.path_of(name).read_bytes()
        except FileNotFoundError:
            return None

    def path_of(self, name: str) -> Path:
        """Where the bytes of this name are kept."""
        return self._directory / (name.replace("/", "-") + ".snapshot")


class RedisStore:
    """One key per name. Every call ends within two seconds."""

    def __init__(self, url: str, prefix: str = "homeostat:state:") -> None:
        import redis  # imported here: the command line and the workers have no Redis to talk to
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        self._client = redis.Redis.from_url(
            url, socket_timeout=2.0, socket_connect_timeout=2.0, retry=Retry(NoBackoff(), 0)
        )
        self._prefix = prefix
        self._away = redis.RedisError

    def save(self, name: str, data: bytes) -> None:
        with self._failing_as_a_file_would():
            self._client.set(self._prefix + name, data)

    def load(self, name: str) -> bytes | None:
        with self._failing_as_a_file_would():
            found = self._client.get(self._prefix + name)
        return found if isinstance(found, bytes) else None

    @contextmanager
    def _failing_as_a_file_would(self) -> Iterator[None]:
        try:
            yield
        except self._away as error:
            raise OSError(str(error)) from error


class Snapshots:
    """The stores as one. Saving goes to the first that takes it, and now and then to the next one too, so that
    losing a store costs a longer replay and never the state; loading takes the newest that is whole.

    `namespace` keeps the snapshots of one log apart from those of any other. `on_failure` counts; `clock` in seconds.
    """

    def __init__(
        self,
        stores: Sequence[SnapshotStore],
        namespace: str,
        on_failure: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._clock = clock
        self._stores = stores
        self._namespace = namespace
        self._on_failure = on_failure
        self._resting: dict[int, float] = {}
        self._kept_beside: dict[str, float] = {}

    def save(self, snapshot: Snapshot) -> bool:
        """Whether any store took it. Never raises: without a snapshot the replay is only longer."""
        data, name, now = pack(snapshot), self._name(snapshot.task), self._clock()
        beside_too = now >= self._kept_beside.get(name, 0.0)
        wanted, taken = 2 if beside_too else 1, 0
        for index, store in enumerate(self._stores):
            if taken < wanted and now >= self._resting.get(index, 0.0):
                taken += self._saved(index, store, name, data)
        if beside_too and taken > 1:
            self._kept_beside[name] = now + BESIDE_SECONDS
        return taken > 0

    def _saved(self, index: int, store: SnapshotStore, name: str, data: bytes) -> bool:
        try:
            store.save(name, data)
        except OSError as error:
            self._failed(index, "save", name, error)
            return False
        return True

    def load(self, task: str) -> Snapshot | None:
        """The newest whole snapshot of `task` in any store that is not left alone, or None."""
        now, name = self._clock(), self._name(task)
        awake = [index for index in range(len(self._stores)) if now >= self._resting.get(index, 0.0)]
        found = [self._load(index, name) for index in awake]
        return max((one for one in found if one is not None), key=lambda one: one.step, default=None)

    def _load(self, index: int, name: str) -> Snapshot | None:
        try:
            data = self._stores[index].load(name)
            return None if data is None else unpack(data)
        except (OSError, CorruptSnapshot) as error:
            self._failed(index, "load", name, error)
            return None

    def _name(self, task: str) -> str:
        return f"{self._namespace}/{task}"

    def _failed(self, index: int, what: str, name: str, error: Exception) -> None:
        store = type(self._stores[index]).__name__
        self._on_failure()
        _log.warning("snapshot failed, going on without", store=store, call=what, name=name, error=str(error))
        if not isinstance(error, CorruptSnapshot):
            self._resting[index] = self._clock() + (REDIS_REST_SECONDS if index < len(self._stores) - 1 else 0.0)
