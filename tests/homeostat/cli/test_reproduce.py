"""`models reproduce`: what it looks for in the log, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from homeostat.cli.reproduce import published_version, specification_of, verdict_of
from services.trainer.reproduction import Reproduction
from shared.bus.base import LogReader, NewRecord
from shared.bus.memory import MemoryBus
from shared.codec import encode
from shared.errors import Misconfigured
from shared.messages import ModelPublished, PipelineDefined
from shared.runtime.installation import topic_specs
from shared.settings import CommonSettings
from shared.topics import MODEL_PUBLISHED, PIPELINES
from tests.services.gateway.messages import defined, published

SETTINGS = CommonSettings(bootstrap_servers="memory", data_dir=Path())
SAME = Reproduction(rows=700, rows_then=700, data_hash="a" * 64, data_hash_then="a" * 64, differing=0, libraries={})


def log_of(*messages: ModelPublished | PipelineDefined) -> LogReader:
    bus = MemoryBus()
    bus.ensure_topics(topic_specs(SETTINGS), timeout=0.0)
    for message in messages:
        topic = MODEL_PUBLISHED if isinstance(message, ModelPublished) else PIPELINES
        bus.producer("test").send([NewRecord(topic.name, b"", encode(message))], 1.0)
    return bus.reader("test")


def test_the_specification_is_the_one_the_version_was_made_under_not_the_newest() -> None:
    old, new = defined(), msgspec.structs.replace(defined(), version=2, digest="newer")
    version = published("1")
    lineage = msgspec.structs.replace(version.lineage, specification_digest=old.digest)
    reader = log_of(old, new, msgspec.structs.replace(version, lineage=lineage))

    found = published_version(reader, SETTINGS, version.pipeline, "1")

    assert specification_of(reader, SETTINGS, found).name == old.pipeline


def test_what_is_not_in_the_log_is_named() -> None:
    version = published("1")
    reader = log_of(version)

    with pytest.raises(Misconfigured, match="models list"):
        published_version(reader, SETTINGS, version.pipeline, "9")
    with pytest.raises(Misconfigured, match="no longer in the log"):
        specification_of(reader, SETTINGS, version)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (SAME, "reproduced. The same 700 rows, and the same answer to each"),
        (replace(SAME, differing=3), "not reproduced. The same rows, but 3 of 700 are answered otherwise"),
        (replace(SAME, differing=3, libraries={"numpy": ("1", "2")}), "(numpy was 1, is 2)"),
        (replace(SAME, rows=699, data_hash="b" * 64), "The log gives 699 rows with hash bbbbbbbbbbbb"),
    ],
)
def test_the_verdict_says_what_came_out(found: Reproduction, words: str) -> None:
    assert words in verdict_of(found, "p", "1")
