"""The gateway's REST interface as Python calls: what the command line and the demo are built on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
from tenacity import (
    Retrying,
    retry_if_exception,
    retry_if_exception_type,
    stop_after_delay,
    stop_before_delay,
    wait_exponential,
)

from homeostat.tally import Run, Tally
from shared.errors import HomeostatError, Overloaded

KEY_FILE = "api-key"
REPEAT_SECONDS = 30.0
"""How long rows are sent again to a gateway that does not answer; one that restarts is back in a few seconds."""
SHED_SECONDS = 120.0

_TOO_LARGE = {"reason": "too-large", "field": None}
_PASSING = (httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


class ApiError(HomeostatError):
    """The gateway refused: `status` is HTTP's, `problem` the RFC 9457 body."""

    def __init__(self, status: int, problem: Mapping[str, Any], url: str) -> None:
        detail = problem.get("detail") or problem.get("title") or "no detail given"
        fields = "".join(f"\n  {_pointed(error)}" for error in problem.get("errors") or [])
        super().__init__(f"{url} answered {status}: {detail}{fields}")
        self.status = status
        self.problem = dict(problem)


class NoAnswer(HomeostatError):
    """The gateway was not reached, or did not answer in time: whether it took the request is not known."""


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, NoAnswer) or (isinstance(error, ApiError) and error.status in _PASSING)


def _pointed(error: object) -> str:
    if not isinstance(error, Mapping):
        return str(error)
    where = error.get("pointer") or error.get("field") or error.get("where") or ""
    return f"{where}: {error.get('detail') or error.get('reason') or error}"


def _faulty(error: ApiError) -> dict[int, tuple[str, str]]:
    """Field and detail by the place in the body of each row that the gateway named; `error` where it named none."""
    found: dict[int, tuple[str, str]] = {}
    for each in error.problem.get("errors") or []:
        place, _, field = str(each.get("pointer", "")).removeprefix("#/").partition("/")
        if place.isdecimal():
            found.setdefault(int(place), (field, str(each.get("detail"))))
    if not found:
        raise error
    return found


def _too_large(row: object, error: ApiError) -> str:
    """What is said of a row that is too large for a body of its own."""
    size, most = len(json.dumps(row, default=str)), error.problem.get("row_limit") or error.problem.get("limit")
    return f"the row has {size} bytes" + (f", and one may have at most {most}" if most else ": too many for one")


def _refused(row: object, field: str, detail: str) -> dict[str, Any]:
    error = {"reason": "invalid", "detail": detail, "field": field or None}
    return {
        "id": row.get("id") if isinstance(row, Mapping) else None,
        "prediction": None,
        "model_version": "",
        "error": error,
    }


class Client:
    """A connection to one gateway. Close it, or use it in a `with`.

    `hint`: what to do where nobody answers; `key_hint`: where the gateway does not know who asks.
    Rows that are sent are sent again for `repeat_seconds` where no answer comes.
    """

    def __init__(
        self, url: str, api_key: str | None, *, timeout: float = 30.0, repeat_seconds: float = REPEAT_SECONDS
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self.url = url.rstrip("/")
        self.hint = "Is `homeostat up` running?"
        self.key_hint = ""
        self._repeat_seconds = repeat_seconds
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One request; the decoded JSON body (text where it is not JSON). `ApiError` on refusal, else `NoAnswer`."""
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise NoAnswer(f"no answer from {self.url}: {error}. {self.hint}") from error
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            wait = float(answer.headers.get("Retry-After", "1"))
            raise Overloaded(f"{self.url} asks to slow down", retry_after_seconds=wait)
        if answer.is_error:
            raise self._refusal(answer, f"{method} {self.url}{path}")
        return _json(answer) if "json" in answer.headers.get("content-type", "") else answer.text

    def _refusal(self, answer: httpx.Response, where: str) -> ApiError:
        problem: dict[str, Any] = _json(answer) or {"detail": answer.text[:500]}
        if answer.status_code == httpx.codes.UNAUTHORIZED and self.key_hint:
            problem |= {"detail": self.key_hint}
        return ApiError(answer.status_code, problem, where)

    def get(self, path: str, **parameters: Any) -> Any:
        """GET `path` with those of `parameters` that are set."""
        return self.call("GET", path, params={k: v for k, v in parameters.items() if v is not None})

    def send_events(self, pipeline: str, rows: Sequence[Mapping[str, Any]], source: str) -> Tally:
        """Sends raw events; where the gateway sheds load or does not answer, repeats the same body after a pause.

        Rows count once however often they come, by their ids: `rows` without an id must not be sent with this.
        """
        return self._send(f"/v1/pipelines/{pipeline}/events", rows, source)

    def send_labels(self, pipeline: str, labels: Sequence[Mapping[str, Any]], source: str) -> Tally:
        """Sends labels: ``{"id", "label", "timestamp"?}`` each."""
        return self._send(f"/v1/pipelines/{pipeline}/labels", labels, source)

    def _send(self, path: str, rows: Sequence[Mapping[str, Any]], source: str) -> Tally:
        body = "\n".join(json.dumps(row, default=str) for row in rows).encode()
        headers = {"Content-Type": "application/x-ndjson"}
        try:
            answer = self._repeated("POST", path, content=body, headers=headers, params={"source": source})
        except ApiError as error:
            if error.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
                return self._sent_in_halves(path, rows, source, error)
            if "rejected" not in error.problem:  # else every row was refused, each with its reason
                raise
            answer = error.problem
        return Tally.of_answer(answer, len(rows))

    def _sent_in_halves(self, path: str, rows: Sequence[Mapping[str, Any]], source: str, too_large: ApiError) -> Tally:
        """For a body that is too large: the rows that are so by themselves are refused, all others sent."""
        if len(rows) == 1:
            refusal = {"index": 0, "id": rows[0].get("id"), **_TOO_LARGE, "detail": _too_large(rows[0], too_large)}
            return Tally.of_answer({"accepted": 0, "rejected": [refusal]}, 1)
        half, tally = len(rows) // 2, Tally()
        for part in (rows[:half], rows[half:]):
            tally += self._send(path, part, source)
        return tally

    def _repeated(self, *request: Any, **options: Any) -> Any:
        unanswered = Retrying(
            retry=retry_if_exception(_is_passing),
            wait=wait_exponential(multiplier=0.25, max=5),
            stop=stop_before_delay(self._repeat_seconds),
            reraise=True,
        )
        shed = Retrying(
            retry=retry_if_exception_type(Overloaded),
            wait=wait_exponential(multiplier=0.25, max=5),
            stop=stop_after_delay(SHED_SECONDS),
            reraise=True,
        )
        return shed(unanswered, self.call, *request, **options)

    def outcomes(self, pipeline: str, kind: str, runs: Sequence[Run], wait: float) -> dict[str, Any]:
        """What became of accepted ``events`` or ``labels``, 100,000 at most; waits up to `wait` s for the last one."""
        written = [{"partition": partition, "first": first, "last": last} for partition, first, last in runs]
        body = {"kind": kind, "written": written}
        found: dict[str, Any] = self.call(
            "POST", f"/v1/pipelines/{pipeline}/outcomes", json=body, params={"wait": wait}
        )
        return found

    def predict(
        self, pipeline: str, rows: Sequence[Mapping[str, Any]], source: str | None = None
    ) -> list[dict[str, Any]]:
        """Predictions in the rows' order; a row that was refused has an `error` that says why.

        The gateway takes all rows of a body or none: those it names as faulty are left out, the others asked for again.
        """
        path, named = f"/v1/pipelines/{pipeline}/predict", {} if source is None else {"source": source}
        found: dict[int, dict[str, Any]] = {}
        while left := [index for index in range(len(rows)) if index not in found]:
            try:
                answer = self.call("POST", path, json=[rows[index] for index in left], params=named)
            except ApiError as error:
                if error.status == httpx.codes.GATEWAY_TIMEOUT:
                    raise
                if error.status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
                    return self._predicted_in_halves(pipeline, rows, source, error)
                if "predictions" not in error.problem:
                    found |= {left[index]: _refused(rows[left[index]], *why) for index, why in _faulty(error).items()}
                    continue
                answer = error.problem
            found |= dict(zip(left, answer["predictions"], strict=True))
        return [found[index] for index in range(len(rows))]

    def _predicted_in_halves(
        self, pipeline: str, rows: Sequence[Mapping[str, Any]], source: str | None, too_large: ApiError
    ) -> list[dict[str, Any]]:
        if len(rows) == 1:
            return [_refused(rows[0], "", _too_large(rows[0], too_large))]
        half = len(rows) // 2
        return [*self.predict(pipeline, rows[:half], source), *self.predict(pipeline, rows[half:], source)]

    def define(self, document: Mapping[str, Any]) -> Any:
        """Makes a pipeline known, or changes it."""
        return self.call("PUT", f"/v1/pipelines/{document['name']}", json=dict(document))

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """A server-sent stream as (event name, decoded data), until it is closed."""
        with self._http.stream("GET", path, timeout=httpx.Timeout(30.0, read=None)) as answer:
            if answer.is_error:
                answer.read()
                raise self._refusal(answer, path)
            name = "message"
            for line in answer.iter_lines():
                if line.startswith("event:"):
                    name = line[6:].strip()
                elif line.startswith("data:"):
                    yield name, json.loads(line[5:])
                elif not line:
                    name = "message"


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def key_from(data_dir: Path) -> str | None:
    """The local stack's API key, where this data folder has one."""
    file = data_dir / KEY_FILE
    return file.read_text().strip() if file.exists() else None
