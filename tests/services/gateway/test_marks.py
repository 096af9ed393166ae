"""By what a log is known again, on a real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.gateway.marks import NO_RECORD, mark_of, marks_at
from shared.bus.base import NewRecord, Record
from shared.bus.factory import connect
from shared.runtime.installation import topic_specs
from shared.settings import common_settings
from shared.topics import ALERTS, AUDIT, COMMANDS


@pytest.mark.kafka
def test_records_are_marked_where_they_stand_and_what_is_none_is_told(
    kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    settings = common_settings(
        {
            "KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
            "HOMEOSTAT_TOPIC_PREFIX": topic_prefix,
            "HOMEOSTAT_DATA": str(tmp_path),
        }
    )
    bus = connect(settings)
    bus.ensure_topics(topic_specs(settings), 60)
    alerts, audit, commands = (settings.full_name(topic.name) for topic in (ALERTS, AUDIT, COMMANDS))
    producer, reader = bus.producer("test"), bus.reader("test")
    producer.send([NewRecord(name, b"k", f"{name} {n}".encode()) for n in range(5) for name in (alerts, commands)], 20)
    transaction = bus.transaction(f"{topic_prefix}g", f"{topic_prefix}t", "test")
    transaction.commit([NewRecord(audit, b"k", b"first"), NewRecord(audit, b"k", b"second")], {})
    producer.send([NewRecord(audit, b"k", b"third")], 20)
    (marker,) = {0, 1, 2, 3} - {record.offset for chunk in reader.read(audit, 0, 0, 4) for record in chunk}

    found = marks_at(reader, {(alerts, 0): 4, (commands, 0): 2, (audit, 0): marker})

    written: list[Record] = [
        record for name in (alerts, commands) for chunk in reader.read(name, 0, 0, 5) for record in chunk
    ]
    there = {(record.topic, record.offset): mark_of(record) for record in written}
    assert found == {(alerts, 0): there[alerts, 4], (commands, 0): there[commands, 2], (audit, 0): NO_RECORD}
    assert len(set(there.values())) == len(written)
    transaction.close()
    reader.close()
    producer.close()
