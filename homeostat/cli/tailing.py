"""Records of one topic as they are committed, for `homeostat tail`."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from homeostat.local.discovery import is_running, kafka_environment
from shared.bus.base import LogReader, Record
from shared.bus.factory import connect
from shared.errors import HomeostatError, Misconfigured, Transient
from shared.settings import common_settings
from shared.topics import BY_NAME


def records(topic: str, data: Path, environ: Mapping[str, str], *, from_start: bool) -> Iterator[str]:
    """One line of JSON per record, until the stack on `data` ends; without end where `environ` names the broker."""
    if topic not in BY_NAME:
        raise Misconfigured(f"there is no topic {topic!r}; there are {', '.join(BY_NAME)}")
    settings = common_settings(kafka_environment(data, environ))
    local = not environ.get("KAFKA_BOOTSTRAP_SERVERS")

    def has_ended() -> bool:
        return local and not is_running(data)

    reader = connect(settings).reader("homeostat-tail")
    try:
        for record in advised(followed(reader, settings.full_name(topic), from_start, has_ended), has_ended, data):
            yield line_of(record, BY_NAME[topic].message)
        raise HomeostatError(_ended(data))
    finally:
        reader.close()


def advised(found: Iterator[Record], has_ended: Callable[[], bool], data: Path) -> Iterator[Record]:
    """`found`; where Kafka fails meanwhile, the error says what to do next."""
    try:
        yield from found
    except Transient as error:
        again = f"ask again in some seconds; `homeostat status --data {data}` says which parts run"
        advice = _ended(data) if has_ended() else f"Kafka does not answer as it should for now: {again}"
        raise HomeostatError(f"{error}. {advice[0].upper()}{advice[1:]}") from error


def _ended(data: Path) -> str:
    return f"the stack on {data} has ended: `homeostat up --data {data}` starts it again"


def followed(reader: LogReader, name: str, from_start: bool, has_ended: Callable[[], bool]) -> Iterator[Record]:
    """The records of a topic as they are committed, until nothing comes and `has_ended` says that nothing will."""
    begin = reader.begin_offsets(name) if from_start else reader.end_offsets(name)
    reader.follow({(name, partition): offset for partition, offset in begin.items()})
    while True:
        found = reader.poll(500, 1.0)
        yield from found
        if not found and has_ended():
            return


def line_of(record: Record, message: type[msgspec.Struct]) -> str:
    """The record as a line of JSON. A field of bytes is shown as text where it is text, else as NAME_base64."""
    head = json.dumps({"partition": record.partition, "offset": record.offset})
    hidden = [field.name for field in msgspec.structs.fields(message) if field.type in (bytes, bytes | None)]
    value = record.value.decode("utf-8", "replace")
    return f'{head[:-1]}, "value": {_opened(value, hidden) if hidden else value}}}'


def _opened(value: str, hidden: Sequence[str]) -> str:
    try:
        shown: dict[str, Any] = json.loads(value)
        for name in hidden:
            if isinstance(shown.get(name), str):
                shown |= _text_of(name, shown.pop(name))
    except (ValueError, AttributeError):  # no message at all: shown as it is
        return value
    return json.dumps(shown, ensure_ascii=False)


def _text_of(name: str, encoded: str) -> dict[str, str]:
    try:
        return {name: base64.b64decode(encoded).decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": encoded}
