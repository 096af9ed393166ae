"""From the topics into the books: upstream first, so that what is downstream has been read later."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from homeostat.verify.books import Books, Order, Place, Row, digest_of
from homeostat.verify.log import Found

TERMINAL = ("succeeded", "failed", "refused", "expired")
Note = Callable[[Books, dict[str, Any], Found], None]


class Source(Protocol):
    """Where the topics' records come from: a cluster, or a run that was recorded."""

    def require(self, topics: tuple[str, ...]) -> None: ...

    def first_offsets(self, topic: str) -> dict[int, int]: ...

    def read(self, topic: str) -> Iterator[Found]: ...


def books_of(log: Source, tell: Callable[[str], None] = lambda _: None) -> Books:
    """Reads every topic that a promise speaks of. `tell` hears the name of each before it is read."""
    log.require(tuple(_NOTES))
    books = Books()
    for topic, note in _NOTES.items():
        tell(topic)
        books.expired[topic] = log.first_offsets(topic)
        for found in log.read(topic):
            try:
                message = json.loads(found.value)
            except ValueError:
                message = None
            if isinstance(message, dict):
                note(books, message, found)
            elif topic != "raw-data":  # there anyone may write anything; it becomes a dead letter
                books.unreadable.append(f"{topic}[{found.partition}]@{found.offset}")
            else:
                books.raw[found.partition, found.offset] = Row("", "", "unreadable", b"", found.timestamp_ms)
    return books


def _raw(books: Books, message: dict[str, Any], found: Found) -> None:
    books.raw[_place(found)] = Row(
        str(message.get("pipeline")),
        str(message.get("id")),
        str(message.get("kind", "event")),
        digest_of(message.get("values", {})),
        found.timestamp_ms,
    )


def _features(books: Books, message: dict[str, Any], found: Found) -> None:
    pipeline, id_ = message["pipeline"], message["id"]
    books.features[_place(found)] = Row(pipeline, id_, "features", b"", found.timestamp_ms)
    books.made[_origin(message)] += 1
    books.feature_ids[pipeline, id_] += 1


def _prediction(books: Books, message: dict[str, Any], _: Found) -> None:
    books.answered[_origin(message)] += 1
    books.answer_ids[message["pipeline"], message["id"]] += 1
    if message.get("model_version"):
        books.versions[message["pipeline"], message["model_version"]] += 1


def _label(books: Books, message: dict[str, Any], _: Found) -> None:
    books.labelled[_origin(message)] += 1
    books.label_ids.add((message["pipeline"], message["id"]))


def _letter(books: Books, message: dict[str, Any], _: Found) -> None:
    books.refused[message["topic"], message["partition"], message["offset"]] += 1


def _metrics(books: Books, message: dict[str, Any], _: Found) -> None:
    books.counted[message["pipeline"]] = (message.get("rows_seen", 0), message.get("labelled_seen", 0))


def _release(books: Books, message: dict[str, Any], _: Found) -> None:
    books.published[message["pipeline"], message["version"]] = message["artifact"]
    books.releases.append(message)
    if message.get("command"):
        books.effects[message["command"], message["version"], message["stage"]] += 1


def _command(books: Books, message: dict[str, Any], _: Found) -> None:
    books.orders[message["id"]] = Order(message["action"], message["pipeline"], message["deadline"])


def _result(books: Books, message: dict[str, Any], _: Found) -> None:
    if message["state"] in TERMINAL and message.get("service") != "predictor":
        books.ends[message["command"]].append((message["state"], message.get("detail", "")))


def _entry(books: Books, message: dict[str, Any], _: Found) -> None:
    books.ledger.append(message)


def _step(books: Books, message: dict[str, Any], _: Found) -> None:
    books.steps[message["task"]].append((message["step"], message.get("inputs", [])))


def _place(found: Found) -> Place:
    return found.partition, found.offset


def _origin(message: dict[str, Any]) -> Place:
    partition, offset = message.get("origin", (0, 0))
    return partition, offset


_NOTES: dict[str, Note] = {
    "raw-data": _raw,
    "commands": _command,
    "features": _features,
    "labels": _label,
    "predictions": _prediction,
    "dead-letters": _letter,
    "metrics": _metrics,
    "model-published": _release,
    "command-results": _result,
    "audit": _entry,
    "steps": _step,
}
