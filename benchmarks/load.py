"""One client for every server: so many connections, each with one request on its way, for so many seconds.

On uvloop, and it reads no more of an answer than its status and its length: it can ask several times what any of the
servers answers (`benchmarks.limit` shows how much, in every run). A process of its own:
`python -m benchmarks.load --port 8080 --path /v2 --connections 32 --seconds 5 < body`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import uvloop

from shared.errors import HomeostatError

HEAD_END = b"\r\n\r\n"
PATIENCE_SECONDS = 30.0


@dataclass(frozen=True)
class Load:
    """What came back in how many seconds: good answers, others, and milliseconds to a good one."""

    answers: int
    refused: int
    seconds: float
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.answers / self.seconds


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--path", required=True)
    arguments.add_argument("--connections", type=int, required=True)
    arguments.add_argument("--seconds", type=float, required=True)
    given = arguments.parse_args()
    request = request_of(given.path, sys.stdin.buffer.read())
    found = uvloop.run(_asked(given.port, request, given.connections, given.seconds))
    print(json.dumps(found.__dict__))
    return 0


def load(port: int, path: str, body: bytes, connections: int, seconds: float) -> Load:
    """What a server on this machine does under that load; `HomeostatError` where it gave not one good answer."""
    command = [sys.executable, "-m", "benchmarks.load", "--port", str(port), "--path", path]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    done = subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True, timeout=seconds + PATIENCE_SECONDS)
    found = Load(**json.loads(done.stdout))
    if not found.answers:
        raise HomeostatError(f"nothing but errors from port {port} at {path}: {found}")
    return found


def request_of(path: str, body: bytes) -> bytes:
    """A request with this JSON, as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + HEAD_END + body


def answer_in(data: bytes) -> tuple[int, int] | None:
    """(status, bytes taken) of the first answer in `data`; None while it is not whole.

    >>> answer_in(b"HTTP/1.1 200 OK" + chr(13).encode() + b"Content")
    """
    end = data.find(HEAD_END)
    if end < 0:
        return None
    head = data[:end].lower()
    status, begins = int(head[9:12]), end + len(HEAD_END)
    if b"transfer-encoding: chunked" in head:
        last = data.find(b"0" + HEAD_END, begins)
        return None if last < 0 else (status, last + 1 + len(HEAD_END))
    place = head.find(b"content-length:")
    length = 0 if place < 0 else int(head[place + 15 :].split(b"\r\n", 1)[0])
    return (status, begins + length) if len(data) >= begins + length else None


def summed_up(times: list[float], refused: int, seconds: float) -> Load:
    """`times`: seconds to each good answer."""
    ordered = sorted(times) or [0.0]
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.99))
    return Load(len(times), refused, seconds, p50, p99)


class _Connection(asyncio.Protocol):
    """Asks again as soon as it is answered, until it is stopped."""

    def __init__(self, request: bytes, times: list[float], refused: list[int]) -> None:
        self._request, self._times, self._refused = request, times, refused
        self._data, self._begun = b"", 0.0
        self.stopped = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._data += data
        found = answer_in(self._data)
        if found is None:
            return
        status, taken = found
        self._data = self._data[taken:]
        if status == 200:
            self._times.append(perf_counter() - self._begun)
        else:
            self._refused.append(status)
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.stopped:
            self._refused.append(0)

    def stop(self) -> None:
        self.stopped = True
        self._transport.close()

    def _ask(self) -> None:
        if not self.stopped:
            self._begun = perf_counter()
            self._transport.write(self._request)


async def _asked(port: int, request: bytes, connections: int, seconds: float) -> Load:
    times: list[float] = []
    refused: list[int] = []
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Connection(request, times, refused), "127.0.0.1", port)
        for _ in range(connections)
    ]
    begun = perf_counter()
    await asyncio.sleep(seconds)
    taken = perf_counter() - begun
    found = summed_up(list(times), len(refused), taken)
    for _, protocol in made:
        protocol.stop()
    return found


if __name__ == "__main__":
    raise SystemExit(main())
