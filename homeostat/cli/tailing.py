"""Records of one topic as they are committed, for `homeostat tail`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from homeostat.local.discovery import kafka_environment
from shared.bus.base import Record
from shared.bus.factory import connect
from shared.errors import Misconfigured
from shared.settings import common_settings
from shared.topics import BY_NAME


def records(topic: str, data: Path, environ: Mapping[str, str], *, from_start: bool) -> Iterator[str]:
    """One line of JSON per record, without end."""
    if topic not in BY_NAME:
        raise Misconfigured(f"there is no topic {topic!r}; there are {', '.join(BY_NAME)}")
    settings = common_settings(kafka_environment(data, environ))
    name = settings.full_name(topic)
    reader = connect(settings).reader("homeostat-tail")
    try:
        begin = reader.begin_offsets(name) if from_start else reader.end_offsets(name)
        reader.follow({(name, partition): offset for partition, offset in begin.items()})
        while True:
            for record in reader.poll(500, 1.0):
                yield line_of(record, BY_NAME[topic].message)
    finally:
        reader.close()


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
