"""The content of a frame as one hash: what a training set is addressed by."""

from __future__ import annotations

import hashlib

import msgspec
import polars as pl

_encoder = msgspec.json.Encoder()


def content_hash(frame: pl.DataFrame) -> str:
    """SHA-256 (hex) over column names, types, and the rows in their order; chunks and files do not matter.

    >>> a = pl.DataFrame({"x": [1.0, 2.0]})
    >>> content_hash(a) == content_hash(pl.concat([a[:1], a[1:]], rechunk=False))
    True
    >>> content_hash(a) == content_hash(a.reverse())
    False
    """
    digest = hashlib.sha256(_encoder.encode([[name, str(dtype)] for name, dtype in frame.schema.items()]))
    for row in frame.iter_rows():
        digest.update(_encoder.encode(row))
    return digest.hexdigest()
