"""What the gateway keeps of its views from one start to the next, and what it does without."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from shared.bus.memory import MemoryBus, MemoryReader
from shared.state import pack, unpack
from shared.topics import (
    ALERTS,
    AUDIT,
    METRICS,
    PIPELINES,
)
from tests.services.gateway.messages import (
    alert,
    audit,
    defined,
    metrics,
)
from tests.services.gateway.running import PREFIX, Running, new_bus, running
from tests.services.gateway.story import tell

SHOWN = (
    "/v1/alerts",
    "/v1/incidents",
    "/v1/incidents/incident-1",
    "/v1/audit",
    "/v1/pipelines/elec2/models",
    "/v1/pipelines/elec2/models/live",
)


def told(gateway: Running) -> dict[str, Any]:
    return {path: gateway.http.get(path).json() for path in SHOWN}


def follows_from(bus: MemoryBus) -> dict[str, int]:
    """From now on, where each topic is followed from (partition 0, without prefix)."""
    starts: dict[str, int] = {}

    class Reader(MemoryReader):
        def follow(self, positions: Mapping[tuple[str, int], int]) -> None:
            starts.update({topic.removeprefix(PREFIX): at for (topic, p), at in positions.items() if p == 0})
            super().follow(positions)

    bus.readers = Reader
    return starts


def snapshot_in(data_dir: Path) -> Path:
    (found,) = (data_dir / "gateway").glob("*.snapshot")
    return found


def test_a_second_start_tells_the_same_and_reads_on_from_where_the_first_had_come(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        tell(first)
        before = told(first)
    first.write_only(AUDIT, audit(8, "escalated", "nobody answers", incident="incident-2"))
    starts, ends = follows_from(bus), bus.reader("test").end_offsets(PREFIX + AUDIT.name)

    with running(tmp_path, bus) as second:
        after = told(second)

    assert starts["audit"] == ends[0] - 1
    assert starts["alerts"] > 0
    assert starts["pipelines"] == 0
    newest = after["/v1/audit"]["entries"].pop()
    changed = {i["id"]: i["state"] for i in after.pop("/v1/incidents")["incidents"]}
    assert newest["kind"] == "escalated"
    assert changed == {"incident-1": "resolved", "incident-2": "escalated"}
    assert after == {path: body for path, body in before.items() if path != "/v1/incidents"}


def assert_all_is_read_again(tmp_path: Path, bus: MemoryBus, before: dict[str, Any]) -> None:
    """A start follows every topic from its begin, and shows what was shown before."""
    starts = follows_from(bus)

    with running(tmp_path, bus) as second:
        after = told(second)

    assert set(starts.values()) == {0}
    assert after == before


def test_a_damaged_snapshot_is_not_believed_and_the_log_is_read_from_its_begin(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        tell(first)
        before = told(first)
    kept = snapshot_in(tmp_path)
    kept.write_bytes(kept.read_bytes()[:-1])

    assert_all_is_read_again(tmp_path, bus, before)


def test_a_snapshot_of_another_form_is_not_believed(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        tell(first)
        before = told(first)
    kept = snapshot_in(tmp_path)
    snapshot = unpack(kept.read_bytes())
    body = msgspec.msgpack.decode(snapshot.state) | {"form": 0}
    kept.write_bytes(pack(msgspec.structs.replace(snapshot, state=msgspec.msgpack.encode(body))))

    assert_all_is_read_again(tmp_path, bus, before)


def test_a_snapshot_of_another_log_is_not_believed(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        tell(first)

    with running(tmp_path, new_bus(tmp_path)) as second:
        found = second.http.get("/v1/alerts").json()

    assert found == {"alerts": []}


def ids(gateway: Running) -> list[str]:
    return sorted(each["id"] for each in gateway.http.get("/v1/alerts").json()["alerts"])


def alerts_of(name: str, count: int) -> list[Any]:
    return [alert(id=f"{name}{n}", fingerprint=f"{name}{n}") for n in range(count)]


def test_a_log_made_anew_is_not_taken_for_the_old_one_when_it_has_grown_past_it(tmp_path: Path) -> None:
    with running(tmp_path) as first:
        first.put(ALERTS, *alerts_of("old", 3))
    bus = new_bus(tmp_path)
    with running(tmp_path / "another", bus) as writer:
        writer.put(ALERTS, *alerts_of("new", 10))

    with running(tmp_path, bus) as second:
        assert ids(second) == [f"new{n}" for n in range(10)]


def test_a_log_is_known_again_by_what_was_folded_two_starts_ago(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        first.put(ALERTS, *alerts_of("old", 3))
    with running(tmp_path, bus) as second:
        second.put(METRICS, metrics(0, {"accuracy": 0.8}))
    anew = new_bus(tmp_path)
    with running(tmp_path / "another", anew) as writer:
        writer.put(ALERTS, *alerts_of("new", 10))

    with running(tmp_path, anew) as third:
        assert ids(third) == [f"new{n}" for n in range(10)]


def test_that_retention_has_dropped_what_was_folded_last_makes_no_other_log_of_it(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        first.put(ALERTS, *alerts_of("old", 3))
    first.write_only(ALERTS, *alerts_of("new", 1))

    class Reader(MemoryReader):
        def begin_offsets(self, topic: str) -> dict[int, int]:
            begins = super().begin_offsets(topic)
            return dict.fromkeys(begins, 3) if topic == PREFIX + ALERTS.name else begins

        def follow(self, positions: Mapping[tuple[str, int], int]) -> None:
            super().follow({(t, p): max(at, self.begin_offsets(t)[p]) for (t, p), at in positions.items()})

    bus.readers = Reader
    with running(tmp_path, bus) as second:
        assert ids(second) == ["new0", "old0", "old1", "old2"]


def test_a_pipeline_that_fell_silent_is_still_told_of_when_others_have_filled_the_topic_since(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        first.put(PIPELINES, defined())
        first.put(METRICS, metrics(3, {"accuracy": 0.8}, rows_seen=700, labelled_seen=500))
    first.write_only(METRICS, *(metrics(n, {"accuracy": 0.5}, pipeline="another") for n in range(20)))

    with running(tmp_path, bus, recent_records=10) as second:
        (shown,) = second.http.get("/v1/status").json()["pipelines"]

    assert (shown["rows_seen"], shown["labelled_seen"], shown["value"]) == (700, 500, 0.8)


def test_after_a_start_the_windows_are_all_there_that_were_there_before(tmp_path: Path) -> None:
    bus = new_bus(tmp_path)
    with running(tmp_path, bus) as first:
        first.put(PIPELINES, defined())
        first.put(METRICS, *(metrics(n, {"accuracy": n / 100}) for n in range(50)))
        before = first.http.get("/v1/pipelines/elec2/metrics").json()["windows"]

    with running(tmp_path, bus, recent_records=10) as second:
        assert second.http.get("/v1/pipelines/elec2/metrics").json()["windows"] == before
    assert len(before) == 50
