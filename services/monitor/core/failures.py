"""Answers that did not come: of the rows a version was asked about, how many it gave no prediction for."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from services.monitor.core.distributions import binomial_limit
from shared.messages import Prediction

LEAST_ANSWERS = 50
_USUAL = 0.01
_LEAST_SHARE = 0.1


class Failed(msgspec.Struct, frozen=True):
    """A block of answers of which too many are missing: which version was asked, and what it said last."""

    version: str
    reason: str
    share: float
    threshold: float
    answers: int
    first_row: int


class Failures(msgspec.Struct):
    """The block of answers since the last judgement. `since`: the first row of the blocks in trouble; -1: none."""

    answers: int = 0
    first_row: int = -1
    by_version: dict[str, int] = {}
    reasons: dict[str, str] = {}
    since: int = -1

    def take(self, messages: Sequence[Prediction], row: int) -> None:
        """Answers, the first of them to `row`. Where there was no version to ask, none has failed."""
        asked = [m for m in messages if m.role != "none"]
        if asked and not self.answers:
            self.first_row = row
        self.answers += len(asked)
        for message in asked:
            if message.reason is not None:
                self.by_version[message.model_version] = self.by_version.get(message.model_version, 0) + 1
                self.reasons[message.model_version] = message.reason

    @property
    def full(self) -> bool:
        return self.answers >= LEAST_ANSWERS

    def judge(self, level: float) -> Failed | None:
        """What is wrong with the block, which ends with this; None where enough of it was answered.

        Too many are missing where a binomial with one in a hundred reaches their number with less than `level`, and
        where they are one in ten at least.
        """
        missing, found = sum(self.by_version.values()), None
        limit = max(float(binomial_limit(level, self.answers, _USUAL)) + 1, self.answers * _LEAST_SHARE)
        if missing >= limit:
            version = max(self.by_version, key=lambda name: (self.by_version[name], name))
            self.since = self.since if self.since >= 0 else self.first_row
            rates = missing / self.answers, limit / self.answers
            found = Failed(version, self.reasons[version], *rates, self.answers, self.since)
        self.since = self.since if found else -1
        self.answers, self.first_row, self.by_version, self.reasons = 0, -1, {}, {}
        return found
