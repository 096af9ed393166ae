"""What a client refuses at once is told as the bus tells everything: in its own errors."""

from __future__ import annotations

import pytest

from shared.bus.base import MAX_RECORD_BYTES, NewRecord
from shared.bus.librdkafka import LibrdkafkaBus
from shared.errors import Poison


def test_a_record_whose_headers_alone_are_too_large_is_poison() -> None:
    producer = LibrdkafkaBus("127.0.0.1:1").producer("refused")
    record = NewRecord("topic", b"k", b"v", (("h", bytes(2 * MAX_RECORD_BYTES)),))

    with pytest.raises(Poison, match="larger than its topic takes"):
        producer.send([record], timeout=0.5)
