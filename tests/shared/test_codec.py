"""Bytes to messages: what cannot be read is said, whatever it is."""

from __future__ import annotations

import pytest

from shared.codec import decode, decode_all, encode
from shared.errors import Poison
from shared.messages import Label
from shared.topics import RAW_DATA


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_a_record_nested_too_deeply_is_refused_like_any_that_cannot_be_read(depth: int) -> None:
    value = b'{"pipeline": "p", "id": "1", "entity": "1", "values": {"x": ' + b"[" * depth + b"]" * depth + b"}}"

    with pytest.raises(Poison, match="nested too deeply"):
        decode(RAW_DATA, value)


def test_many_are_read_in_order_and_the_first_that_is_none_is_named() -> None:
    labels = [Label(pipeline="p", id=str(number), label=number) for number in range(3)]
    values = [encode(label) for label in labels]

    assert decode_all(Label, values) == labels
    with pytest.raises(Poison, match="not a Label: Object missing required field `id`"):
        decode_all(Label, [values[0], b'{"pipeline": "p"}', b"junk"])
