"""What the demo keeps of the topics."""

from __future__ import annotations

import pytest

from homeostat.demo.watcher import Watcher
from shared.bus.base import Record
from shared.bus.memory import MemoryBus
from shared.codec import encode
from shared.settings import common_settings
from tests.homeostat.test_outcome import alert


@pytest.mark.parametrize(("pipeline", "kept"), [("p", 1), ("_system", 1), ("another", 0)])
def test_what_is_said_of_the_pipeline_and_of_homeostat_itself_is_kept(pipeline: str, kept: int) -> None:
    settings = common_settings({"KAFKA_BOOTSTRAP_SERVERS": "memory"})
    watcher = Watcher(MemoryBus(), settings, "p", {})

    watcher.take(said(settings.full_name("alerts"), pipeline))

    assert len(watcher.seen.events) == kept


def said(topic: str, pipeline: str) -> Record:
    message = alert(1.0, 10, 0, pipeline).message
    return Record(topic, 0, 0, None, encode(message))
