"""How much of each view the gateway holds, and what of it when there is more."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from services.gateway.readmodel import alerts, dead_letters, incidents, ledger, models, orders
from services.gateway.readmodel.entry import Entry
from services.gateway.readmodel.metrics import MetricBook, Selection
from services.gateway.readmodel.predictions import PredictionBook
from services.gateway.service import ReadModels
from shared.clock import utc_now
from shared.messages import DeadLetter, ModelPublished
from shared.topics import (
    ALERTS,
    AUDIT,
    COMMAND_RESULTS,
    COMMANDS,
    DEAD_LETTERS,
    METRICS,
    MODEL_PUBLISHED,
    PIPELINES,
    PREDICTIONS,
)
from tests.services.gateway.messages import (
    alert,
    audit,
    command,
    defined,
    metrics,
    prediction,
    published,
    refer,
    result,
)


def entry(topic: str, offset: int, message: Any) -> Entry[Any]:
    return Entry(topic, 0, offset, utc_now(), message)


def long_story() -> ReadModels:
    """More of everything than is kept."""
    read = ReadModels()
    for n in range(incidents.INCIDENTS_KEPT + 50):
        state = "firing" if n % 2 else "resolved"
        read.fold(ALERTS.name, [entry(ALERTS.name, n, alert(state, id=f"alert-{n % 300}", fingerprint="f"))])
        read.fold(COMMANDS.name, [entry(COMMANDS.name, n, command(id=f"command-{n}"))])
        read.fold(COMMAND_RESULTS.name, [entry(COMMAND_RESULTS.name, n, result(command=f"command-{n % 10}"))])
        opened = audit(2 * n, "incident_opened", "", incident=f"incident-{n}")
        closed = audit(2 * n + 1, "incident_resolved", "", incident="incident-7")
        read.fold(AUDIT.name, [entry(AUDIT.name, 2 * n, opened), entry(AUDIT.name, 2 * n + 1, closed)])
    return read


def test_what_is_held_makes_the_same_views_again() -> None:
    read, again = long_story(), ReadModels()
    held = read.held()

    again.ledger.take_over(held.index)
    for section, entries in held.entries.items():
        for each in entries:
            again.take_over(section, each)

    assert again.held() == held
    assert again.alerts.select(pipeline=None, state=None) == read.alerts.select(pipeline=None, state=None)
    assert again.incidents.select(pipeline=None, state=None) == read.incidents.select(pipeline=None, state=None)


def test_what_is_held_does_not_grow_without_end() -> None:
    held = long_story().held().entries

    assert len(held["command-results"]) == 10 * orders.RESULTS_PER_COMMAND
    assert len({each.message.incident for each in held["incidents"]}) == incidents.INCIDENTS_KEPT
    longest = [each for each in held["incidents"] if each.message.incident == "incident-7"]
    assert len(longest) <= incidents.ENTRIES_PER_INCIDENT


def test_a_quarantine_is_remembered_for_as_long_as_it_lasts() -> None:
    book = orders.CommandBook(kept=5)
    withheld = command(id="q", action="quarantine_source", arguments={"source": "feed", "fields": ["price"]})
    book.on_commands([entry(COMMANDS.name, 0, withheld)])

    book.on_commands([entry(COMMANDS.name, n, command(id=f"command-{n}")) for n in range(1, 20)])

    assert len(book.all()) == 5
    assert book.quarantined("elec2")["feed"] == {"price"}


def test_of_an_alert_that_goes_on_and_on_the_turns_and_the_newest_records_are_held() -> None:
    book = alerts.AlertBook()
    severities = ["warning"] * 5 + ["critical"] * 5
    for n, severity in enumerate(severities):
        book.on_alerts([entry(ALERTS.name, n, alert(severity=severity))])
    book.on_alerts([entry(ALERTS.name, 10, alert("resolved", severity="critical"))])

    assert [each.offset for each in book.held()] == [0, 4, 5, 9, 10]
    assert [book.at(refer(ALERTS.name, n)) for n in (3, 4)] == [None, "alert-1"]


def test_an_alert_that_flickers_is_held_by_its_first_and_newest_records() -> None:
    book = alerts.AlertBook()
    for n in range(100):
        book.on_alerts([entry(ALERTS.name, n, alert(severity=("warning", "critical")[n % 2]))])

    assert [each.offset for each in book.held()] == [0, *range(100 - alerts.RECORDS_PER_ALERT + 1, 100)]


def test_letters_of_pipelines_that_nobody_knows_do_not_fill_the_memory() -> None:
    book = dead_letters.DeadLetterBook()
    letters = [DeadLetter(topic="raw-data", partition=0, offset=n, reason="r", detail="", value=b"", service="ingest",
                          pipeline=f"p{n}") for n in range(dead_letters.COUNTS_KEPT + 50)]  # fmt: skip
    book.on_dead_letters([entry(DEAD_LETTERS.name, n, letter) for n, letter in enumerate(letters)])

    assert len(book.counts) == dead_letters.COUNTS_KEPT + 1
    assert book.counts["", "other"] == 50


def test_of_too_many_windows_the_past_is_kept_the_coarser_the_further_back() -> None:
    book = MetricBook(kept=100)
    book.on_metrics([entry(METRICS.name, n, metrics(n, {"accuracy": 0.8})) for n in range(1000)])

    found = [window["window"]["index"] for window in book.select("elec2", Selection())]

    assert len(found) <= 100
    assert (found[0], found[-50:]) == (0, list(range(950, 1000)))
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert max(gaps) <= 2 * 1000 / 50


def test_a_spread_shows_the_whole_stretch_of_each_family() -> None:
    book = MetricBook()
    for n in range(400):
        for family in ("performance", "data"):
            book.on_metrics([entry(METRICS.name, n, metrics(n, {"accuracy": 0.8}, family=family))])

    found = book.select("elec2", Selection(limit=100, spread=True))

    for family in ("performance", "data"):
        shown = [window["window"]["index"] for window in found if window["family"] == family]
        assert (len(shown), shown[-1]) == (50, 399)
        assert {later - earlier for earlier, later in pairwise(shown)} == {8}
    assert len(book.select("elec2", Selection(limit=5000, spread=True))) == 800


def test_answers_are_found_again_as_in_a_dictionary() -> None:
    book, places = PredictionBook(kept=1, places=500), dict[str, tuple[int, int]]()
    for n in range(2000):
        event, at = f"e-{n * 7919 % 1500}", (n % 3, 2**40 + n)
        places[event] = at
        message = prediction(event)
        book.on_predictions([Entry(PREDICTIONS.name, *at, utc_now(), message)])

    newest = [f"e-{n * 7919 % 1500}" for n in range(1500, 2000)]
    assert {event: book.place("elec2", event) for event in newest} == {event: places[event] for event in newest}
    assert book.place("elec2", "unheard of") is None
    assert 500 <= book.known("elec2") <= 1000
    assert not book.knows_all("elec2")


def room_per_entry(count: int, fold: Callable[[int], None]) -> float:
    """Bytes held for each of `count` calls."""
    tracemalloc.start()
    try:
        for n in range(count):
            fold(n)
        return tracemalloc.get_traced_memory()[0] / count
    finally:
        tracemalloc.stop()


def test_what_is_many_is_held_in_little_room() -> None:
    book, read = PredictionBook(kept=1, places=10_000), ReadModels()
    values = {f"share.of.field_{each}": 1 / (each + 3) for each in range(30)}

    def answer(n: int) -> None:
        book.on_predictions([entry(PREDICTIONS.name, n, prediction(f"e-{n}"))])

    def window(n: int) -> None:
        read.fold(METRICS.name, [entry(METRICS.name, n, metrics(n, values))])

    def step(n: int) -> None:
        told = audit(n, "triaged", "the price arrives in thousandths", incident=f"incident-{n // 10}", body=values)
        read.fold(AUDIT.name, [entry(AUDIT.name, n, told)])

    assert room_per_entry(9_000, answer) < 60
    assert room_per_entry(200, window) < 1000
    assert room_per_entry(200, step) < 2000


def test_a_pipeline_that_was_defined_again_keeps_what_came_since_in_whatever_order_topics_are_read() -> None:
    read = ReadModels()
    removed = entry(PIPELINES.name, 1, msgspec.structs.replace(defined(), removed=True))
    read.fold(PREDICTIONS.name, [entry(PREDICTIONS.name, 0, prediction("e"))])
    read.fold(METRICS.name, [entry(METRICS.name, 0, metrics(0, {"accuracy": 0.8}, rows_seen=7))])

    read.fold(PIPELINES.name, [removed, entry(PIPELINES.name, 2, defined())])

    assert len(read.predictions.newest("elec2", 1)) == 1
    assert read.metrics.totals("elec2")[0] == 7


def test_what_is_large_goes_with_the_pipeline_it_belongs_to() -> None:
    read = ReadModels()
    read.fold(PIPELINES.name, [entry(PIPELINES.name, 0, defined())])
    read.fold(PREDICTIONS.name, [entry(PREDICTIONS.name, 0, prediction("e"))])
    read.fold(METRICS.name, [entry(METRICS.name, 0, metrics(0, {"accuracy": 0.8}, rows_seen=7))])
    known = read.predictions.newest("elec2", 1), read.metrics.totals("elec2")

    read.fold(PIPELINES.name, [entry(PIPELINES.name, 1, msgspec.structs.replace(defined(), removed=True))])

    assert (len(known[0]), known[1][0]) == (1, 7)
    assert read.predictions.newest("elec2", 1) == []
    assert read.metrics.totals("elec2") == (0, 0)


def test_versions_are_forgotten_with_their_last_publication_but_never_the_one_that_answers() -> None:
    book = models.ModelBook(kept=3)

    def publish(offset: int, version: str, stage: str = "shadow") -> None:
        message: ModelPublished = published(version, stage=stage)
        book.on_model_published([entry(MODEL_PUBLISHED.name, offset, message)])

    publish(0, "1", "champion")
    for n in range(2, 8):
        publish(n, str(n))

    assert [version.newest.message.version for version in book.versions("elec2")] == ["7", "6", "5", "1"]
    assert len(book.held()) == 4


def test_the_live_version_is_told_however_many_publications_came_after_its_own() -> None:
    book, again = models.ModelBook(kept=3), models.ModelBook(kept=3)
    book.on_model_published([entry(MODEL_PUBLISHED.name, 0, published("1", stage="champion"))])
    for n in range(1, 8):
        book.on_model_published([entry(MODEL_PUBLISHED.name, n, published(str(n), stage="shadow"))])
    for each in book.held():
        again.take_over(each)
    for each_book in (book, again):
        each_book.on_model_published([entry(MODEL_PUBLISHED.name, 8, published("8", stage="shadow"))])

    for each_book in (book, again):
        live = each_book.live("elec2")
        assert live is not None
        assert (live["version"], live["offset"]) == ("1", 0)
        assert each_book.live("elec2", datetime.fromisoformat(live["at"])) == live


def test_a_version_is_as_old_as_it_was_when_more_has_been_published_than_is_kept() -> None:
    book, again = models.ModelBook(kept=4), models.ModelBook(kept=4)
    for n, version in enumerate(["live", "old", "live", "x", "old", "x", "y", "z", "old"]):
        stage = "champion" if version == "live" else "shadow"
        book.on_model_published([entry(MODEL_PUBLISHED.name, n, published(version, stage=stage))])

    for each in book.held():
        again.take_over(each)

    def told(each: models.ModelBook) -> list[Any]:
        versions = [(v.first.offset, v.newest.offset, v.stage) for v in each.versions("elec2")]
        return [versions, [e.offset for e in each.events("elec2")], each.live("elec2")]

    assert told(again) == told(book)
    assert ("old", 1) in [(v.newest.message.version, v.first.offset) for v in again.versions("elec2")]
    following = entry(MODEL_PUBLISHED.name, 9, published("next", stage="shadow"))
    for each in (book, again):
        each.on_model_published([following])
    assert told(again) == told(book)
    assert again.held() == book.held()


@pytest.mark.parametrize("state", ["failed", "refused", "expired"])
@pytest.mark.parametrize("partition", [0, 1, 6, 11])
def test_of_many_results_the_one_that_came_to_nothing_stays(state: str, partition: int) -> None:
    book = orders.CommandBook()
    withheld = command(id="q", action="quarantine_source", arguments={"source": "feed", "fields": ["price"]})
    book.on_commands([entry(COMMANDS.name, 0, withheld)])
    ends = ["succeeded" if each != partition else state for each in range(12)]
    states = [each for end in ends for each in ("accepted", end)]

    for n, each in enumerate(states):
        book.on_command_results([entry(COMMAND_RESULTS.name, n, result(each, command="q"))])

    assert len(book.results("q")) == orders.RESULTS_PER_COMMAND
    assert book.quarantined("elec2").get("feed", set()) == set()


def test_the_index_of_the_ledger_stays_short_and_still_finds_a_page() -> None:
    book = ledger.LedgerBook(kept=5, index_every=1, index_kept=8)
    for n in range(100):
        book.on_audit([entry(AUDIT.name, 2 * n, audit(n, "triaged", ""))])

    start, stop = book.range_of(after=39, limit=10)

    assert len(book.index) <= 8
    assert start <= 80
    assert stop >= 100
