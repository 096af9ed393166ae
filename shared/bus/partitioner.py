"""Which partition a key belongs to: Kafka's own choice, computed alike by every client."""

from __future__ import annotations

_MASK = 0xFFFFFFFF
_MIX = 0x5BD1E995


def murmur2(data: bytes) -> int:
    """MurmurHash2, 32 bit, seed 0x9747b28c: the hash of Kafka's Java client (Appleby, 2008).

    >>> murmur2(b"21"), murmur2(b"foobar")
    (3321034988, 3504634814)
    """
    length = len(data)
    whole = length & ~3
    hashed = 0x9747B28C ^ length
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _MIX & _MASK
        word = (word ^ word >> 24) * _MIX & _MASK
        hashed = hashed * _MIX & _MASK ^ word
    if length != whole:
        hashed = (hashed ^ int.from_bytes(data[whole:], "little")) * _MIX & _MASK
    hashed = (hashed ^ hashed >> 13) * _MIX & _MASK
    return hashed ^ hashed >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` among `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
