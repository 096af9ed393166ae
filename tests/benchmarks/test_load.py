"""The load generator's pure parts: what it sends, when an answer is whole, and how many times are summed up."""

from __future__ import annotations

import pytest

from benchmarks.load import answer_in, request_of, summed_up

WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


@pytest.mark.parametrize(("answer", "status"), [(WHOLE, 200), (CHUNKED, 200), (WHOLE.replace(b"200", b"503"), 503)])
def test_an_answer_is_taken_when_it_is_whole_and_not_before(answer: bytes, status: int) -> None:
    assert [answer_in(answer[:length]) for length in range(len(answer))] == [None] * len(answer)
    assert answer_in(answer) == (status, len(answer))


def test_what_follows_an_answer_is_left() -> None:
    assert answer_in(WHOLE + CHUNKED) == (200, len(WHOLE))


def test_a_request_says_how_long_its_body_is() -> None:
    head, body = request_of("/v2", b'{"a": 1}').split(b"\r\n\r\n")

    assert head.startswith(b"POST /v2 HTTP/1.1\r\n")
    assert b"Content-Length: 8" in head
    assert body == b'{"a": 1}'


def test_times_are_told_in_milliseconds_by_rank() -> None:
    found = summed_up([number / 1000 for number in range(100, 0, -1)], refused=3, seconds=2.0)

    assert (found.answers, found.refused, found.rate) == (100, 3, 50.0)
    assert (found.p50, found.p99) == (pytest.approx(51), pytest.approx(100))


def test_no_answers_are_no_rate() -> None:
    assert summed_up([], refused=3, seconds=2.0).rate == 0
