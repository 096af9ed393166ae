"""Snapshots of tasks: where a restart begins its replay. The log stays the truth."""

from shared.state.snapshot import CorruptSnapshot, Snapshot, pack, unpack
from shared.state.stores import FileStore, MemoryStore, RedisStore, Snapshots, SnapshotStore

__all__ = [
    "CorruptSnapshot",
    "FileStore",
    "MemoryStore",
    "RedisStore",
    "Snapshot",
    "SnapshotStore",
    "Snapshots",
    "pack",
    "unpack",
]
