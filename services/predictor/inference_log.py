"""What the inference endpoint answered, on its way to `inferences`, off the requests' path."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from tenacity import Retrying, retry_if_exception_type, sleep_using_event, stop_when_event_set, wait_exponential

from shared.bus.base import Bus, NewRecord, Producer
from shared.clock import fresh_id, utc_now
from shared.errors import HomeostatError, Transient
from shared.messages import Inference
from shared.runtime.outgoing import records_of
from shared.topics import INFERENCES

MOST_WAITING_BYTES: Final = 16 * 2**20
_GATHERING_SECONDS: Final = 0.05

_log = structlog.get_logger("homeostat.predictor")


class InferenceLog:
    """A companion of the runtime: takes at once, writes in a thread of its own, again and again until Kafka has it.

    What is taken and not written yet is lost where the process is killed: some 50 ms. While Kafka is away
    it holds `most_bytes` of request bodies and then takes no more, so that nothing is answered unlogged.
    """

    def __init__(
        self,
        connect: Callable[[], Bus],
        full_name: Callable[[str], str],
        most_bytes: int = MOST_WAITING_BYTES,
        send_seconds: float = 10.0,
    ) -> None:
        self._connect, self._full_name = connect, full_name
        self._most_bytes, self._send_seconds = most_bytes, send_seconds
        self._waiting: deque[tuple[Sequence[Inference], int]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._bus: Bus | None = None
        self._producer: Producer | None = None
        self._filled, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference-log", daemon=True)

    def take(self, inferences: Sequence[Inference], body_bytes: int) -> None:
        """Returns at once. `Transient` where too much waits for Kafka: then this must not be answered."""
        with self._lock:
            if self._bytes + body_bytes > self._most_bytes:
                raise Transient(
                    f"Kafka does not take the log of answers: {self._bytes:,} bytes of requests wait for it"
                )
            self._bytes += body_bytes
            self._waiting.append((inferences, body_bytes))
        self._filled.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Writes what waits; where Kafka is away, says how many requests stay unlogged."""
        self._stopping.set()
        self._filled.set()
        self._thread.join(2 * self._send_seconds)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._filled.wait()
                self._stopping.wait(_GATHERING_SECONDS)
                self._filled.clear()
                self._write()
            self._write()  # what was taken while the last ones were written
        finally:
            if self._producer is not None:
                self._producer.close()
            if self._bus is not None:
                self._bus.close()

    def _write(self) -> None:
        with self._lock:
            taken = list(self._waiting)
            self._waiting.clear()
        if not taken:
            return
        outs = [INFERENCES.of(inference) for inferences, _ in taken for inference in inferences]
        records = records_of(outs, fresh_id("inference"), "/homeostat/predictor", self._full_name, utc_now())
        again = Retrying(
            retry=retry_if_exception_type(Transient),
            wait=wait_exponential(multiplier=0.1, max=5),
            stop=stop_when_event_set(self._stopping),
            sleep=sleep_using_event(self._stopping),
            reraise=True,
        )
        try:
            again(self._send, records)
        except Exception as error:  # noqa: BLE001 - what fails here must not end the thread: all later ones need it
            why = str(error) if isinstance(error, HomeostatError) else repr(error)
            _log.error("answers of the inference endpoint are not logged", requests=len(taken), why=why)
        with self._lock:
            self._bytes -= sum(size for _, size in taken)

    def _send(self, records: Sequence[NewRecord]) -> None:
        """Connects where that was not done yet: Kafka may be away at the start too."""
        if self._bus is None:
            self._bus = self._connect()
        if self._producer is None:
            self._producer = self._bus.producer("predictor-inferences")
        self._producer.send(records, self._send_seconds)
