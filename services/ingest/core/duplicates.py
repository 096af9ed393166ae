"""Repeated ids: the same content again is dropped, other content under a known id is refused."""

from __future__ import annotations

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

Verdict = Literal["new", "repeated", "conflict"]

_encoder = msgspec.json.Encoder(order="sorted")


@dataclass(slots=True)
class Seen:
    """The newest `most` ids with what they stood for, 16 bytes each when saved.

    Ids are remembered by 64 bits of their hash: among 100,000 remembered ids, one new id in
    10^14 is taken for another.
    """

    most: int
    contents: OrderedDict[int, int] = field(default_factory=OrderedDict)

    def verdict(self, id_: str, content: Mapping[str, object]) -> Verdict:
        """What this row is, given those before it; a new id is remembered from here on.

        >>> seen = Seen(most=1000)
        >>> seen.verdict("a", {"x": 1}), seen.verdict("a", {"x": 1}), seen.verdict("a", {"x": 2})
        ('new', 'repeated', 'conflict')
        """
        key, fingerprint = _hash(id_.encode()), _hash(_encoder.encode(content))
        known = self.contents.get(key)
        if known is not None:
            return "repeated" if known == fingerprint else "conflict"
        self.contents[key] = fingerprint
        if len(self.contents) > self.most:
            self.contents.popitem(last=False)
        return "new"

    def saved(self) -> bytes:
        return array("Q", [part for pair in self.contents.items() for part in pair]).tobytes()

    def restored(self, saved: bytes) -> None:
        parts = array("Q", saved)
        self.contents = OrderedDict(zip(parts[::2], parts[1::2], strict=True))


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
