"""Trace contexts: continued where there is one, valid and repeatable always."""

from __future__ import annotations

from shared.telemetry.tracing import Parents, Traces, parent_in

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_is_continued_under_a_span_of_its_own() -> None:
    child = Traces("ingest/0/1").next(PARENT).decode()

    assert child[:36] == PARENT[:36]
    assert child[36:52] != PARENT[36:52]
    assert parent_in((("traceparent", child.encode()),)) == child


def test_every_record_without_a_trace_begins_one_and_the_same_step_gives_the_same() -> None:
    first, second = Traces("ingest/0/1"), Traces("ingest/0/1")
    made = [first.next(None).decode() for _ in range(1000)]

    assert made == [second.next(None).decode() for _ in range(1000)]
    assert len({trace[3:35] for trace in made}) == 1000
    assert all(parent_in((("traceparent", trace.encode()),)) == trace for trace in made)


def test_a_header_that_is_no_traceparent_is_left_aside() -> None:
    for value in (
        b"",
        b"junk",
        PARENT[:-1].encode(),
        PARENT.upper().encode(),
        b"00-" + b"0" * 32 + PARENT[35:].encode(),
    ):
        assert parent_in((("traceparent", value),)) is None
    assert parent_in((("other", PARENT.encode()),)) is None


def test_the_traces_of_many_records_are_those_of_each() -> None:
    headers = [(("traceparent", PARENT.encode()),), (), (("traceparent", b"junk"),)]

    parents = Parents(headers)

    assert list(parents) == [PARENT, None, None]
    assert (len(parents), parents[0], parents[1:]) == (3, PARENT, [None, None])
