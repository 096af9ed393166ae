"""Records of one topic as they are committed, for `homeostat tail`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from homeostat.local.discovery import environment_of
from shared.bus.factory import connect
from shared.errors import Misconfigured
from shared.settings import common_settings
from shared.topics import BY_NAME


def records(topic: str, data: Path, environ: Mapping[str, str], *, from_start: bool) -> Iterator[str]:
    """One line of JSON per record, without end."""
    if topic not in BY_NAME:
        raise Misconfigured(f"there is no topic {topic!r}; there are {', '.join(BY_NAME)}")
    settings = common_settings({**environment_of(data), **environ})
    name = settings.full_name(topic)
    reader = connect(settings).reader("homeostat-tail")
    try:
        begin = reader.begin_offsets(name) if from_start else reader.end_offsets(name)
        reader.follow({(name, partition): offset for partition, offset in begin.items()})
        while True:
            for record in reader.poll(500, 1.0):
                head = {"partition": record.partition, "offset": record.offset}
                yield json.dumps(head)[:-1] + ', "value": ' + record.value.decode("utf-8", "replace") + "}"
    finally:
        reader.close()
