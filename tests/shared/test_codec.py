"""Bytes to messages: what cannot be read is said, whatever it is."""

from __future__ import annotations

import pytest

from shared.codec import decode
from shared.errors import Poison
from shared.topics import RAW_DATA


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_record_nested_too_deeply_is_refused_like_any_that_cannot_be_read(depth: int) -> None:
    value = b'{"pipeline": "p", "id": "1", "entity": "1", "values": {"x": ' + b"[" * depth + b"]" * depth + b"}}"

    with pytest.raises(Poison, match="nested too deeply"):
        decode(RAW_DATA, value)
