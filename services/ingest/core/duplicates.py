"""Repeated ids: the same content again is dropped, other content under a known id is refused."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

Verdict = Literal["new", "repeated", "conflict"]

_encoder = msgspec.json.Encoder(order="sorted")
_LEAST_SLOTS = 64


@dataclass(slots=True)
class Generation:
    """Ids with what they stood for, both as 64 bits of their hash, in the order in which they came.

    `slots` is a hash table of places in these lists, from 1, with linear probing (Knuth, 1973); at
    most half of it is taken. 24 to 32 bytes an id: a dictionary takes some 170.
    """

    keys: array[int] = field(default_factory=lambda: array("Q"))
    contents: array[int] = field(default_factory=lambda: array("Q"))
    slots: array[int] = field(default_factory=lambda: array("I", bytes(4 * _LEAST_SLOTS)))

    def __len__(self) -> int:
        return len(self.keys)

    def get(self, key: int) -> int | None:
        """What the id stood for, None where it is not known."""
        place = self.slots[self._slot_of(key)]
        return self.contents[place - 1] if place else None

    def add(self, key: int, content: int) -> int | None:
        """Remembers an id; for one that is known, what it stood for, which stays."""
        slot = self._slot_of(key)
        if place := self.slots[slot]:
            return self.contents[place - 1]
        self.keys.append(key)
        self.contents.append(content)
        if 2 * len(self.keys) > len(self.slots):
            self._spread(2 * len(self.slots))
        else:
            self.slots[slot] = len(self.keys)
        return None

    def saved(self) -> bytes:
        return self.keys.tobytes() + self.contents.tobytes()

    @classmethod
    def restored(cls, saved: bytes) -> Generation:
        half = len(saved) // 2
        generation = cls(array("Q", saved[:half]), array("Q", saved[half:]))
        size = _LEAST_SLOTS
        while size < 2 * len(generation):
            size *= 2
        generation._spread(size)
        return generation

    def _spread(self, size: int) -> None:
        self.slots = array("I", bytes(4 * size))
        for place, key in enumerate(self.keys, 1):
            self.slots[self._slot_of(key)] = place

    def _slot_of(self, key: int) -> int:
        """Where this id is, or where it would be."""
        slots, keys, last = self.slots, self.keys, len(self.slots) - 1
        slot = key & last
        while (place := slots[slot]) and keys[place - 1] != key:
            slot = (slot + 1) & last
        return slot


@dataclass(slots=True)
class Seen:
    """The newest ids, at least `most` and at most twice as many, 16 bytes each when saved.

    They lie in two generations: when the younger holds `most`, the older is forgotten as a whole. Ids are
    remembered by 64 bits of their hash: among 200,000 remembered ids, one new id in 10^14 is taken for another.
    """

    most: int
    older: Generation = field(default_factory=Generation)
    younger: Generation = field(default_factory=Generation)

    def verdict(self, id_: str, content: Mapping[str, object]) -> Verdict:
        """What this row is, given those before it; a new id is remembered from here on.

        >>> seen = Seen(most=1000)
        >>> seen.verdict("a", {"x": 1}), seen.verdict("a", {"x": 1}), seen.verdict("a", {"x": 2})
        ('new', 'repeated', 'conflict')
        """
        key, fingerprint = _hash(id_.encode()), _hash(_encoder.encode(content))
        known = self.older.get(key)
        if known is None:
            known = self.younger.add(key, fingerprint)
        if known is not None:
            return "repeated" if known == fingerprint else "conflict"
        if len(self.younger) >= self.most:
            self.older, self.younger = self.younger, Generation()
        return "new"

    def saved(self) -> tuple[bytes, bytes]:
        return self.older.saved(), self.younger.saved()

    def restored(self, saved: tuple[bytes, bytes]) -> None:
        self.older, self.younger = (Generation.restored(one) for one in saved)


def _hash(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")
