"""Events and labels over REST."""

from __future__ import annotations

import gzip
import json

import msgspec
import pytest

from services.gateway.intake import MOST_IGNORED
from shared.messages import RawRecord
from shared.messages.data import LONGEST_SOURCE
from shared.topics import COMMANDS, PIPELINES, RAW_DATA
from tests.services.gateway.messages import command, defined
from tests.services.gateway.running import Running

EVENTS = "/v1/pipelines/elec2/events"
LABELS = "/v1/pipelines/elec2/labels"
GOOD = {"nswprice": 0.5, "vicprice": 1.5}


def raw(gateway: Running) -> list[RawRecord]:
    return gateway.written(RAW_DATA)


def test_an_object_an_array_and_ndjson_are_all_accepted_and_on_the_log(gateway: Running) -> None:
    lines = "\n".join(json.dumps(GOOD | {"id": f"line-{n}"}) for n in range(3))

    one = gateway.http.post(EVENTS, json=GOOD | {"id": "one"})
    many = gateway.http.post(EVENTS, json=[GOOD | {"id": "a"}, GOOD | {"id": 7}])
    ndjson = gateway.http.post(EVENTS, content=lines, headers={"Content-Type": "application/x-ndjson"})

    assert [answer.status_code for answer in (one, many, ndjson)] == [202, 202, 202]
    assert [answer.json()["accepted"] for answer in (one, many, ndjson)] == [1, 2, 3]
    assert sorted(record.id for record in raw(gateway)) == ["7", "a", "line-0", "line-1", "line-2", "one"]
    assert all(record.values == GOOD for record in raw(gateway))


def test_ndjson_is_recognised_without_its_content_type(gateway: Running) -> None:
    answer = gateway.http.post(EVENTS, content=b'{"nswprice": 1, "vicprice": 2}\n{"nswprice": 2, "vicprice": 3}\n')

    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, [])


def test_a_row_that_breaks_the_schema_is_named_and_the_others_are_not_harmed(gateway: Running) -> None:
    rows = [GOOD | {"id": "good"}, {"id": "bad", "nswprice": "cheap", "vicprice": 1}, {"id": "far", "nswprice": 99}]

    body = gateway.http.post(EVENTS, json=rows).json()

    assert body["accepted"] == 1
    assert [(r["index"], r["id"], r["reason"], r["field"]) for r in body["rejected"]] == [
        (1, "bad", "type", "nswprice"),
        (2, "far", "range", "nswprice"),
    ]


@pytest.mark.parametrize(("path", "bad"), [(EVENTS, {"nswprice": "cheap", "vicprice": 1}), (LABELS, {"label": True})])
def test_a_body_of_which_nothing_is_accepted_is_a_problem_that_names_each_row(
    gateway: Running, path: str, bad: dict[str, object]
) -> None:
    one, two = gateway.http.post(path, json=bad), gateway.http.post(path, json=[bad, bad])

    assert [answer.status_code for answer in (one, two)] == [422, 422]
    assert one.headers["content-type"] == "application/problem+json"
    assert [error["pointer"].split("/")[1] for error in two.json()["errors"]] == ["0", "1"]
    assert two.json()["accepted"] == 0
    assert [row["index"] for row in two.json()["rejected"]] == [0, 1]


def test_a_row_that_breaks_the_schema_goes_on_so_that_ingest_keeps_it_as_a_dead_letter(gateway: Running) -> None:
    gateway.http.post(EVENTS, json={"id": "bad", "nswprice": "cheap", "vicprice": 1})

    assert [record.id for record in raw(gateway)] == ["bad"]


def test_a_field_under_quarantine_does_not_get_a_row_refused(gateway: Running) -> None:
    order = command(action="quarantine_source", arguments={"source": "meter", "fields": ["nswprice"]})
    gateway.put(COMMANDS, order)

    quarantined = gateway.http.post(EVENTS, json={"nswprice": 5000, "vicprice": 1}, params={"source": "meter"}).json()
    other = gateway.http.post(EVENTS, json={"nswprice": 5000, "vicprice": 1}, params={"source": "other"}).json()

    assert (quarantined["accepted"], other["accepted"], other["status"]) == (1, 0, 422)


def test_rows_without_a_source_are_those_of_the_key_they_came_with(gateway: Running) -> None:
    gateway.http.post(EVENTS, json=GOOD)
    gateway.http.post(LABELS, json={"id": "1", "label": True})
    gateway.http.post(EVENTS, json=GOOD | {"vicprice": 2}, params={"source": "meter"})

    assert [record.source for record in raw(gateway)] == ["key:tester", "key:tester", "meter"]


def test_an_event_that_is_too_large_is_named_and_the_others_are_taken(gateway: Running) -> None:
    rows = [GOOD | {"id": "small"}, GOOD | {"id": "large", "note": "x" * 10_000_000}]

    answer = gateway.http.post(EVENTS, json=rows)

    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    (refused,) = answer.json()["rejected"]
    assert (refused["index"], refused["id"], refused["reason"], refused["field"]) == (1, "large", "too-large", "note")
    assert "at most 900000: 'note' alone has 10000002" in refused["detail"]
    assert [record.id for record in raw(gateway)] == ["small"]


def test_a_label_that_is_too_large_is_named(gateway: Running) -> None:
    refused = gateway.http.post(LABELS, json={"id": "a", "label": "x" * 1_000_000}).json()["rejected"][0]

    assert (refused["id"], refused["reason"], refused["field"]) == ("a", "too-large", "label")
    assert "at most 900000: 'label' alone has 1000002" in refused["detail"]


def test_a_cloud_event_gives_id_source_and_time(gateway: Running) -> None:
    event = {
        "specversion": "1.0",
        "type": "meter.read",
        "id": "ce-1",
        "source": "/meters/7",
        "time": "2026-03-01T12:00:00Z",
        "data": GOOD,
    }

    structured = gateway.http.post(EVENTS, json=event, headers={"Content-Type": "application/cloudevents+json"})
    binary = gateway.http.post(
        EVENTS, json=GOOD, headers={"ce-specversion": "1.0", "ce-id": "ce-2", "ce-source": "/meters/8", "ce-type": "t"}
    )

    assert (structured.json()["accepted"], binary.json()["accepted"]) == (1, 1)
    by_id = {record.id: record for record in raw(gateway)}
    assert (by_id["ce-1"].source, by_id["ce-2"].source) == ("/meters/7", "/meters/8")
    assert by_id["ce-1"].at is not None
    assert by_id["ce-1"].at.isoformat() == "2026-03-01T12:00:00+00:00"


def test_an_event_without_an_id_is_known_by_its_content(gateway: Running) -> None:
    gateway.http.post(EVENTS, json=GOOD)
    gateway.http.post(EVENTS, json=dict(reversed(GOOD.items())))
    gateway.http.post(EVENTS, json=GOOD | {"vicprice": 2.5})

    first, again, other = (record.id for record in raw(gateway))
    assert first == again != other


def test_labels_are_accepted_and_what_is_wrong_with_one_is_said(gateway: Running) -> None:
    labels = [
        {"id": "1", "label": True, "timestamp": "2026-03-01T12:00:00Z"},
        {"label": True},
        {"id": "2"},
        {"id": "3", "label": "maybe"},
        {"id": "4", "label": True, "colour": "red"},
    ]

    body = gateway.http.post(LABELS, json=labels).json()

    assert body["accepted"] == 1
    assert [(r["index"], r["reason"], r["field"]) for r in body["rejected"]] == [
        (1, "missing-id", "id"),
        (2, "missing-label", "label"),
        (3, "type", "up"),
        (4, "unknown-field", "colour"),
    ]
    label = raw(gateway)[0]
    assert (label.kind, label.id, label.label) == ("label", "1", True)


CUSTOMERS = {
    "name": "churn",
    "schema": {"customer": {"type": "string"}, "calls": {"type": "number"}, "left": {"type": "boolean"}},
    "id": "customer",
    "target": "left",
}
CHURN = "/v1/pipelines/churn"


def test_a_label_may_use_the_names_of_the_pipeline(gateway: Running) -> None:
    gateway.put(PIPELINES, defined(**CUSTOMERS))
    labels = [{"customer": "c1", "left": True}, {"id": "c2", "label": False}, {"customer": "c3", "label": True}]

    assert gateway.http.post(f"{CHURN}/labels", json=labels).json()["accepted"] == 3
    assert sorted((label.id, label.label) for label in raw(gateway)) == [("c1", True), ("c2", False), ("c3", True)]


def test_what_is_no_label_is_told_what_one_looks_like_here(gateway: Running) -> None:
    gateway.put(PIPELINES, defined(**CUSTOMERS))
    labels = [
        {"customer_id": "c1", "left": True},
        {"left": True},
        {"customer": "", "left": True},
        {"customer": "c1"},
        {"customer": "c1", "id": "c2", "left": True},
    ]

    rejected = gateway.http.post(f"{CHURN}/labels", json=labels).json()["rejected"]

    assert [row["reason"] for row in rejected] == ["unknown-field", "missing-id", "bad-id", "missing-label", "unclear"]
    for place in (0, 1, 3):
        assert "give 'customer' (or 'id') and 'left' (or 'label')" in rejected[place]["detail"]
    assert "'customer' is empty" in rejected[2]["detail"]
    assert [row["id"] for row in rejected] == [None, None, "", "c1", "c1"]


def test_an_id_that_comes_twice_in_one_body_is_told_by_row_and_goes_on_to_be_kept(gateway: Running) -> None:
    rows = [GOOD | {"id": "a"}, GOOD | {"id": "a"}, GOOD | {"id": "a", "vicprice": 9}, GOOD | {"id": "a", "up": True}]

    body = gateway.http.post(EVENTS, json=rows).json()

    assert (body["accepted"], body["repeated"]) == (3, 2)
    ((index, other, reason, detail),) = [(r["index"], r["other"], r["reason"], r["detail"]) for r in body["rejected"]]
    assert (index, other, reason) == (2, 0, "id-conflict")
    assert "the id 'a' already stands for row 0 of this body" in detail
    assert [record.values["vicprice"] for record in raw(gateway)] == [1.5, 1.5, 1.5, 9]


def test_an_id_may_come_as_text_or_as_a_number_and_is_the_same(gateway: Running) -> None:
    document = {"name": "shop", "kind": "anomaly", "schema": {"order": {"type": "integer"}, "x": {"type": "number"}}}
    gateway.put(PIPELINES, defined(**document, target=None, id="order", features={"x": "x"}))
    rows = [{"order": 7, "x": 1}, {"order": "7", "x": 1}, {"order": "007", "x": 1}]

    body = gateway.http.post("/v1/pipelines/shop/events", json=rows).json()

    assert (body["accepted"], body["repeated"], body["rejected"]) == (3, 1, [])
    assert sorted(record.id for record in raw(gateway)) == ["007", "7", "7"]


def test_fields_that_the_pipeline_does_not_have_are_told_of_by_name(gateway: Running) -> None:
    body = gateway.http.post(EVENTS, json=[GOOD | {"colour": 1}, GOOD | {"colour": 2, "size": 3}, GOOD]).json()

    assert body["accepted"] == 3
    assert body["ignored"] == {"colour": 2, "size": 1}


def test_a_field_told_of_goes_on_being_counted_when_there_is_no_room_for_further_names(gateway: Running) -> None:
    many = {f"field{n:03}": n for n in range(MOST_IGNORED)}

    body = gateway.http.post(EVENTS, json=[GOOD | many, GOOD | {"field007": 1, "new": 2}]).json()

    assert (len(body["ignored"]), body["ignored"]["field007"], "new" in body["ignored"]) == (MOST_IGNORED, 2, False)


@pytest.mark.parametrize("many", [LONGEST_SOURCE, LONGEST_SOURCE + 1])
def test_a_source_of_a_rows_own_has_the_length_of_every_source(gateway: Running, many: int) -> None:
    source = "s" * many
    label = {"id": "a", "label": True, "source": source}
    event = {"specversion": "1.0", "id": "a", "source": source, "type": "t", "data": GOOD}
    cloud = {"Content-Type": "application/cloudevents+json"}

    answers = [
        gateway.http.post(LABELS, json=label),
        gateway.http.post(EVENTS, content=json.dumps(event), headers=cloud),
        gateway.http.post(EVENTS, json=GOOD, params={"source": source}),
    ]

    fits = many <= LONGEST_SOURCE
    assert [answer.status_code for answer in answers] == [202 if fits else 422] * 3
    assert len(raw(gateway)) == 3 * fits
    if not fits:
        (refused,) = answers[0].json()["rejected"]
        assert (refused["reason"], refused["field"]) == ("bad-source", "source")
        assert "at most 200" in refused["detail"]


def test_accepted_rows_are_told_by_their_places_in_the_log(gateway: Running) -> None:
    rows = [GOOD | {"id": str(n)} for n in range(50)] + [{"id": "bad", "nswprice": "cheap"}]

    written = gateway.http.post(EVENTS, json=rows).json()["written"]

    assert sum(run["last"] - run["first"] + 1 for run in written) == 50
    assert [run["partition"] for run in written] == sorted({run["partition"] for run in written})


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b'[{"nswprice": NaN}]', "application/json", "JSON knows no NaN or Infinity: write null"),
        (b"nswprice,vicprice\n1,2\n", "text/csv", "Content-Type is text/csv"),
        (b" [ ] ", "application/json", "the body has no row"),
        (gzip.compress(b"{}", mtime=0), "application/json", "it is compressed"),
        (b"[" * 100_000 + b"]" * 100_000, "application/json", "nested too deeply"),
    ],
)
def test_a_body_that_cannot_be_read_is_told_what_to_send(gateway: Running, body: bytes, kind: str, says: str) -> None:
    answer = gateway.http.post(EVENTS, content=body, headers={"Content-Type": kind})

    assert answer.status_code == 400
    assert says in answer.json()["detail"]
    assert "NDJSON" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"", 400, "empty"), (b"{not json", 400, "not-json"), (b"\xff\xfe", 400, "not-json")],
)
def test_a_body_that_is_nothing_is_refused_as_a_whole(gateway: Running, body: bytes, status: int, code: str) -> None:
    answer = gateway.http.post(EVENTS, content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith(code)
    assert raw(gateway) == []


@pytest.mark.parametrize("depth", [40, 900, 100_000])
def test_a_row_nested_as_deep_as_can_be_is_refused_and_the_others_are_not_harmed(gateway: Running, depth: int) -> None:
    deep = b'{"id": "deep", "nswprice": ' + b"[" * depth + b"]" * depth + b"}"
    body = b"\n".join([msgspec.json.encode(GOOD), deep])

    answer = gateway.http.post(EVENTS, content=body, headers={"Content-Type": "application/x-ndjson"}).json()

    assert answer["accepted"] == 1
    assert [row["reason"] for row in answer["rejected"]] == ["too-deep" if depth < 1000 else "not-json"]
    assert gateway.http.post(EVENTS, content=deep).status_code in (400, 422)


def test_rows_that_are_no_objects_are_refused_one_by_one(gateway: Running) -> None:
    body = gateway.http.post(EVENTS, json=[1, "text", GOOD, None]).json()

    assert body["accepted"] == 1
    assert [r["index"] for r in body["rejected"]] == [0, 1, 3]
    assert {r["reason"] for r in body["rejected"]} == {"not-an-object"}
