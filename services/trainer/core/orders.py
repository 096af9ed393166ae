"""What the service asks of its jobs, and what they answer: JSON on the way, structs at both ends."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any, TypeVar

import msgspec

from services.trainer.core.gate import Verdict
from services.trainer.core.releases import Candidate

T = TypeVar("T")

Stretch = tuple[int, int, int | None, str]
"""(partition, from, until, source): until None reaches to the log's end, source "" are all."""


class Rows(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which rows: offsets by partition, and the stretches [partition, from, until) to leave out (None: to the end).

    `sources`: whose rows in them; "" or none there means everybody's.
    """

    since: dict[str, int] | None = None
    until: dict[str, int] | None = None
    excluded: tuple[tuple[int, int, int | None], ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def left_out(self) -> tuple[Stretch, ...]:
        """The stretches, each with its source."""
        pairs = zip(self.excluded, chain(self.sources, repeat("")))  # noqa: B905 - the rest is ""
        return tuple((*stretch, source) for stretch, source in pairs)


class Order(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """For the jobs ``train``, ``judge`` and ``recalibrate``.

    `candidate` is the one to judge. `forced`: the verdict is told, but does not decide. `proof`: what the
    chance that a challenger is no better than the champion must not exceed. Without `search` the champion's
    learner is fitted anew, its parameters kept, unless another's defaults do better.
    """

    pipeline: str
    specification: dict[str, Any]
    specification_version: int
    code_revision: str
    rows: Rows = Rows()
    champion: Candidate | None = None
    candidate: Candidate | None = None
    forced: bool = False
    proof: float | None = None
    search: bool = True
    reason: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answer: a candidate where the verdict (or force) lets it become a version.

    `champion` holds the champion's metrics on the rows that the candidate was judged on.
    """

    verdict: Verdict
    candidate: Candidate | None = None
    champion: dict[str, float] = {}
    baseline: dict[str, float] = {}
    window: str = ""
    search: dict[str, Any] = {}
    cost_seconds: float = 0.0


class Registration(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """For the job ``register``. `aliases` maps ``champion``, ``challenger`` and ``previous`` to versions, or None."""

    pipeline: str
    version: str
    candidate: Candidate
    specification: dict[str, Any]
    aliases: dict[str, str | None] = {}


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """The struct as the JSON object that it is on its way."""
    return msgspec.json.decode(msgspec.json.encode(value), type=dict[str, Any])


def typed(value: Any, kind: type[T]) -> T:
    """The JSON object as a struct; `msgspec.ValidationError` names the field that does not fit."""
    return msgspec.convert(value, kind)
