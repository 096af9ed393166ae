"""A process that has done its imports and forks itself: a new worker is there in milliseconds, not in seconds.

It holds no thread of Python's, no client and no lock, so that a fork of it is whole. It ends with its parent, and its
workers with it. What crosses to it is JSON and the end of a pipe.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess, SpawnProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import Protocol

import msgspec

Work = Callable[[Connection], None]
"""What a worker does, given its end of the pipe; it must be importable."""

END_SECONDS = 5.0
"""A worker that was killed is waited for no longer than this."""


class Process(Protocol):
    """A worker's process, however it was started."""

    @property
    def exitcode(self) -> int | None: ...

    def is_alive(self) -> bool: ...

    def kill(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class _Asked(msgspec.Struct):
    number: int
    kill: bool = False


class _Ended(msgspec.Struct):
    number: int
    status: int


class Nursery:
    """Started at once; asked for workers while it still imports, it gives them afterwards. Nothing here waits for it.

    `warm` does the imports, and must start no thread. `work` is what each worker does.
    """

    def __init__(self, warm: Callable[[], None], work: Work) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_raise_workers, args=(theirs, warm, work), name="nursery")
        self.process.start()
        theirs.close()
        self._count = 0
        self._living: dict[int, _Worker] = {}

    def worker(self, theirs: Connection) -> Process:
        """A new worker that holds the other end of a pipe; this process keeps none."""
        self._count += 1
        worker = self._living[self._count] = _Worker(self, self._count)
        with self._while_it_lives():
            self._pipe.send_bytes(msgspec.json.encode(_Asked(worker.number)))
            send_handle(self._pipe, theirs.fileno(), self.process.pid)
        theirs.close()
        return worker

    def stop(self) -> None:
        """Ends it and all its workers."""
        self._pipe.close()
        self.process.kill()
        self.process.join()

    def kill(self, number: int) -> None:
        """It kills its own child: no other process can have the number by then."""
        with self._while_it_lives():
            self._pipe.send_bytes(msgspec.json.encode(_Asked(number, kill=True)))

    def hear(self, worker: _Worker, seconds: float = 0.0) -> None:
        """What ended meanwhile; up to so many seconds are waited for this worker's end."""
        with self._while_it_lives():
            while worker.number in self._living and self._pipe.poll(seconds):
                ended = msgspec.json.decode(self._pipe.recv_bytes(), type=_Ended)
                self._living.pop(ended.number).status = ended.status

    @contextmanager
    def _while_it_lives(self) -> Iterator[None]:
        """Where it has ended its workers have too, with its own status."""
        try:
            yield
        except (EOFError, OSError):
            self.process.join(END_SECONDS)


@dataclass(slots=True, eq=False)
class _Worker:
    nursery: Nursery
    number: int
    status: int | None = None

    @property
    def exitcode(self) -> int | None:
        self.nursery.hear(self)
        return self.nursery.process.exitcode if self.status is None else self.status

    def is_alive(self) -> bool:
        return self.exitcode is None

    def kill(self) -> None:
        self.nursery.kill(self.number)

    def join(self, timeout: float | None = None) -> None:
        self.nursery.hear(self, END_SECONDS if timeout is None else timeout)


@dataclass(slots=True)
class _Children:
    """In the nursery: the workers that live."""

    work: Work
    pipe: Connection
    living: dict[int, ForkProcess] = field(default_factory=dict)

    def serve(self) -> None:
        """Until the parent has ended."""
        while True:
            ready = wait([self.pipe, *(child.sentinel for child in self.living.values())])
            self._tell_ended()
            if self.pipe in ready:
                self._obey(msgspec.json.decode(self.pipe.recv_bytes(), type=_Asked))

    def _obey(self, asked: _Asked) -> None:
        if not asked.kill:
            self._raise(asked.number, Connection(recv_handle(self.pipe)))
        elif asked.number in self.living:
            self.living[asked.number].kill()

    def _raise(self, number: int, theirs: Connection) -> None:
        context = multiprocessing.get_context("fork")
        child = context.Process(target=_worked, args=(self.work, theirs, self.pipe), daemon=True, name="job-worker")
        child.start()
        theirs.close()
        self.living[number] = child

    def _tell_ended(self) -> None:
        for number, child in list(self.living.items()):
            if child.exitcode is not None:
                del self.living[number]
                self.pipe.send_bytes(msgspec.json.encode(_Ended(number, child.exitcode)))


def _worked(work: Work, theirs: Connection, nursery: Connection) -> None:
    nursery.close()
    work(theirs)


def _raise_workers(pipe: Connection, warm: Callable[[], None], work: Work) -> None:
    """The nursery's process. Its workers are daemons: they end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm()
    gc.collect()
    gc.freeze()  # what is shared stays shared
    with suppress(EOFError, OSError):
        _Children(work, pipe).serve()
