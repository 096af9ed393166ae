"""Dead letters as a rate: of all rows that were sent, how many were refused, for which field and source."""

from __future__ import annotations

import msgspec

from services.monitor.core.distributions import binomial_limit

LEAST_ATTEMPTS = 50
_FLOOR = 0.01
_MEMORY = 0.1
_LEAST_SHARE = 0.1
_MOST_KEYS = 200


class Refused(msgspec.Struct, frozen=True):
    """Too many refusals for one field (or reason, where no field is named), and from where.

    `sources`: by share of the refusals. `failing`: those of which no more rows pass than are refused for this.
    """

    what: str
    is_field: bool
    share: float
    threshold: float
    attempts: int
    sources: tuple[tuple[str, float], ...]
    failing: tuple[tuple[str, float], ...]


class Refusals(msgspec.Struct):
    """Counts since the last judgement, and the usual share of each field as a slow mean of quiet ones."""

    accepted: int = 0
    passed: dict[str, int] = {}
    refused: dict[str, dict[str, int]] = {}
    usual: dict[str, float] = {}
    total: int = 0

    def accept(self, source: str, rows: int) -> None:
        self.accepted += rows
        self.passed[source] = self.passed.get(source, 0) + rows

    def refuse(self, field: str | None, reason: str, source: str | None) -> None:
        key = f"field:{field}" if field else f"reason:{reason}"
        if key not in self.refused and len(self.refused) >= _MOST_KEYS:
            key = "reason:other"
        by_source = self.refused.setdefault(key, {})
        name = source or "unknown"
        by_source[name] = by_source.get(name, 0) + 1
        self.total += 1

    @property
    def attempts(self) -> int:
        """Rows tried since the last judgement, refused ones included."""
        return self.accepted + sum(sum(by_source.values()) for by_source in self.refused.values())

    def judge(self, level: float) -> list[Refused] | None:
        """The keys refused too often since the last judgement; None while fewer than 50 rows were tried.

        A count is too high where a binomial with the usual share reaches it with less than `level`.
        """
        attempts = self.attempts
        if attempts < LEAST_ATTEMPTS:
            return None
        found = []
        for key, by_source in self.refused.items():
            count = sum(by_source.values())
            usual = max(_FLOOR, self.usual.get(key, 0.0))
            limit = max(float(binomial_limit(level, attempts, usual)) + 1, attempts * (usual + _LEAST_SHARE))
            if count >= limit:
                shares = sorted(((s, n / count) for s, n in by_source.items()), key=lambda item: (-item[1], item[0]))
                failing = [(s, share) for s, share in shares if by_source[s] >= self.passed.get(s, 0)]
                rates = count / attempts, limit / attempts
                is_field, what = key.startswith("field:"), key.partition(":")[2]
                found.append(Refused(what, is_field, *rates, attempts, tuple(shares[:5]), tuple(failing[:5])))
            else:
                self.usual[key] = self.usual.get(key, 0.0) * (1 - _MEMORY) + _MEMORY * count / attempts
        self.accepted, self.passed, self.refused = 0, {}, {}
        return found
