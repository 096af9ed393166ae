"""What is noted of each topic's records: enough to hold the promises against, and no more."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Place = tuple[int, int]
"""(partition, offset)."""


class Row(NamedTuple):
    """One raw record or one features record. `digest` is of an event's values."""

    pipeline: str
    id: str
    kind: str
    digest: bytes
    timestamp_ms: int


class Order(NamedTuple):
    """One command. `deadline` is as written (ISO 8601, UTC)."""

    action: str
    pipeline: str
    deadline: str


@dataclass(slots=True)
class Books:
    """Everything noted. Counters count by place of origin or by (pipeline, id)."""

    raw: dict[Place, Row] = field(default_factory=dict)
    features: dict[Place, Row] = field(default_factory=dict)
    made: Counter[Place] = field(default_factory=Counter)
    labelled: Counter[Place] = field(default_factory=Counter)
    answered: Counter[Place] = field(default_factory=Counter)
    refused: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    feature_ids: Counter[tuple[str, str]] = field(default_factory=Counter)
    answer_ids: Counter[tuple[str, str]] = field(default_factory=Counter)
    label_ids: set[tuple[str, str]] = field(default_factory=set)
    counted: dict[str, tuple[int, int]] = field(default_factory=dict)
    versions: Counter[tuple[str, str]] = field(default_factory=Counter)
    published: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    releases: list[dict[str, Any]] = field(default_factory=list)
    orders: dict[str, Order] = field(default_factory=dict)
    ends: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    effects: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    steps: dict[str, list[tuple[int, list[Any]]]] = field(default_factory=lambda: defaultdict(list))
    expired: dict[str, dict[int, int]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)


def digest_of(values: object) -> bytes:
    """Twelve bytes that two events share only if their values are the same."""
    return hashlib.blake2b(repr(_ordered(values)).encode(), digest_size=12).digest()


def _ordered(value: object) -> object:
    return sorted(value.items()) if isinstance(value, dict) else value
