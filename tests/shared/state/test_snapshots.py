"""Snapshots: whole or not at all, in whichever store is there, and never a reason to stop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.state import CorruptSnapshot, FileStore, MemoryStore, RedisStore, Snapshot, Snapshots, pack, unpack


def _snapshot(step: int = 7, state: bytes = b"state") -> Snapshot:
    return Snapshot(
        task="ingest/0",
        step=step,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        positions=(("raw-data", 0, 12),),
        ended_jobs=("j1",),
        journal_from=99,
        state=state,
    )


class _Away:
    def save(self, name: str, data: bytes) -> None:
        raise OSError("disk full")

    def load(self, name: str) -> bytes | None:
        raise OSError("disk full")


def test_a_snapshot_comes_back_as_it_was() -> None:
    assert unpack(pack(_snapshot())) == _snapshot()


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: b"", lambda d: d[:40] + b"?" + d[41:]])
def test_a_damaged_snapshot_is_refused(damage: object) -> None:
    with pytest.raises(CorruptSnapshot):
        unpack(damage(pack(_snapshot())))  # type: ignore[operator]


def test_a_snapshot_of_another_format_is_refused() -> None:
    with pytest.raises(CorruptSnapshot, match="format 2"):
        unpack(pack(Snapshot(**{**{f: getattr(_snapshot(), f) for f in Snapshot.__struct_fields__}, "format": 2})))


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "state")

    store.save("cluster/ingest/0", b"one")
    store.save("cluster/ingest/0", b"two")

    assert store.load("cluster/ingest/0") == b"two"
    assert store.load("cluster/ingest/1") is None
    assert len(list((tmp_path / "state").iterdir())) == 1


def test_where_the_first_store_is_away_the_second_takes_it_and_the_failure_is_counted() -> None:
    failures: list[None] = []
    second = MemoryStore()
    snapshots = Snapshots([_Away(), second], "c", lambda: failures.append(None))

    saved = snapshots.save(_snapshot())

    assert saved
    assert len(failures) == 1
    assert list(second.saved) == ["c/ingest/0"]
    assert snapshots.load("ingest/0") == _snapshot()


def test_a_first_store_that_failed_is_left_alone_by_the_tasks_that_start_next() -> None:
    failures: list[None] = []
    snapshots = Snapshots([_Away(), MemoryStore()], "c", lambda: failures.append(None), clock=lambda: 0.0)

    for task in ("ingest/0", "ingest/1", "ingest/2"):
        snapshots.load(task)

    assert len(failures) == 1


def test_where_no_store_takes_it_the_service_goes_on() -> None:
    assert Snapshots([_Away()], "c").save(_snapshot()) is False


def test_the_newest_whole_snapshot_of_all_stores_counts() -> None:
    older, newer, broken = MemoryStore(), MemoryStore(), MemoryStore()
    older.save("c/ingest/0", pack(_snapshot(step=5)))
    newer.save("c/ingest/0", pack(_snapshot(step=9)))
    broken.save("c/ingest/0", pack(_snapshot(step=11))[:-3])

    found = Snapshots([older, broken, newer], "c").load("ingest/0")

    assert found is not None
    assert found.step == 9


def test_the_snapshots_of_another_cluster_are_not_taken() -> None:
    store = MemoryStore()
    Snapshots([store], "one").save(_snapshot())

    assert Snapshots([store], "other").load("ingest/0") is None


def test_redis_keeps_a_snapshot(redis_url: str, topic_prefix: str) -> None:
    store = RedisStore(redis_url, prefix=topic_prefix)

    store.save("c/ingest/0", b"\x00bytes")

    assert store.load("c/ingest/0") == b"\x00bytes"
    assert store.load("c/ingest/1") is None


def test_a_redis_that_is_away_does_not_hold_up_the_file(tmp_path: Path) -> None:
    snapshots = Snapshots([RedisStore("redis://127.0.0.1:1"), FileStore(tmp_path)], "c")

    assert snapshots.save(_snapshot())
    assert snapshots.load("ingest/0") == _snapshot()


def test_the_state_outlives_a_first_store_that_forgets() -> None:
    first, second = MemoryStore(), MemoryStore()
    snapshots = Snapshots([first, second], "n")
    snapshots.save(_snapshot(step=1))
    snapshots.save(_snapshot(step=2))

    newest = snapshots.load(_snapshot().task)
    first.saved.clear()
    left = snapshots.load(_snapshot().task)

    assert newest is not None
    assert newest.step == 2
    assert left is not None
    assert left.step == 1
