"""Records as `homeostat tail` shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.cli.tailing import advised, followed, line_of
from shared.bus.base import NewRecord, Record, TopicSpec
from shared.bus.memory import MemoryBus
from shared.codec import encode
from shared.errors import HomeostatError, Transient
from shared.messages import DeadLetter, Label
from tests.services.gateway.messages import prediction


def letter(value: bytes) -> Record:
    message = DeadLetter(topic="raw-data", partition=2, offset=7, reason="type", detail="", value=value, key=b"k-1")
    return Record("dead-letters", 0, 3, b"k-1", encode(message))


def test_a_dead_letter_shows_the_refused_bytes_as_text_where_they_are_text() -> None:
    shown = json.loads(line_of(letter('{"price": "höher"}'.encode()), DeadLetter))

    assert (shown["partition"], shown["offset"]) == (0, 3)
    assert shown["value"]["value"] == '{"price": "höher"}'
    assert shown["value"]["key"] == "k-1"


def test_refused_bytes_that_are_no_text_are_shown_as_what_they_are() -> None:
    shown = json.loads(line_of(letter(b"\x89PNG\xff"), DeadLetter))["value"]

    assert shown["value_base64"] == "iVBOR/8="
    assert "value" not in shown


def test_other_records_are_shown_as_they_stand_on_the_topic() -> None:
    value = encode(prediction("r1"))

    line = line_of(Record("predictions", 1, 9, b"r1", value), type(prediction("r1")))

    assert line == '{"partition": 1, "offset": 9, "value": ' + value.decode() + "}"


def test_a_record_that_is_no_message_is_shown_all_the_same() -> None:
    assert line_of(Record("labels", 0, 0, None, b"nonsense"), Label).endswith('"value": nonsense}')
    assert line_of(Record("dead-letters", 0, 0, None, b"[1]"), DeadLetter).endswith('"value": [1]}')


def test_a_live_view_ends_with_its_stack_and_not_before_what_came_was_shown() -> None:
    bus = MemoryBus()
    bus.ensure_topics([TopicSpec("alerts", 1, 1, {})], 1)
    bus.producer("test").send([NewRecord("alerts", b"", str(number).encode()) for number in range(1200)], 1)

    shown = followed(bus.reader("test"), "alerts", from_start=True, has_ended=lambda: True)

    assert [int(record.value) for record in shown] == list(range(1200))


@pytest.mark.parametrize(
    ("ended", "advice"),
    [(True, "The stack on own has ended: `homeostat up --data own` starts"), (False, "`homeostat status --data own`")],
)
def test_a_broker_that_fails_is_told_with_what_to_do_next(ended: bool, advice: str) -> None:
    def found() -> Iterator[Record]:
        yield letter(b"1")
        raise Transient("offsets of predictions: Broker: Leader epoch is newer than broker epoch")

    shown = advised(found(), lambda: ended, Path("own"))
    next(shown)

    with pytest.raises(HomeostatError, match=rf"than broker epoch\. .*{advice}"):
        next(shown)
