"""The dashboard in a real Chromium, over real messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from shared.clock import utc_now
from shared.messages import Evidence
from shared.topics import ALERTS, AUDIT, COMMAND_RESULTS, COMMANDS, METRICS, MODEL_PUBLISHED, PIPELINES, PREDICTIONS
from tests.services.gateway.messages import (
    alert,
    audit,
    command,
    defined,
    metrics,
    prediction,
    published,
    result,
    window,
)
from tests.services.gateway.running import KEY, Running, running
from tests.services.gateway.story import tell

pytestmark = pytest.mark.xdist_group("browser")

SECONDS = 60_000
expect.set_options(timeout=SECONDS)
PAYLOAD = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path, wait=False) as started:
        yield started


@pytest.fixture
def page(browser: Browser, gateway: Running) -> Iterator[Page]:
    """A page of 1280 by 900 that fails its test when the browser reports an error of its own.

    It is closed before the gateway, which waits for who still reads its stream.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda told: faults.append(told.text) if "Content Security Policy" in told.text else None)
    opened.set_default_timeout(SECONDS)
    yield opened
    context.close()
    assert faults == []


def enter(page: Page, gateway: Running) -> None:
    page.goto(f"{gateway.url}/#key={KEY}")
    expect(page.locator("#link")).to_have_text("live", timeout=SECONDS)


def test_the_printed_link_opens_it_and_leaves_no_key_behind(page: Page, gateway: Running) -> None:
    tell(gateway)

    enter(page, gateway)

    assert KEY not in page.url
    assert page.evaluate("document.cookie") == ""
    expect(page.locator("h1")).to_have_text("elec2")


def test_without_a_key_it_asks_for_one_and_shows_nothing(page: Page, gateway: Running) -> None:
    tell(gateway)

    page.goto(gateway.url)

    expect(page.get_by_role("heading", name="This dashboard asks for a key")).to_be_visible()
    assert "elec2" not in page.content()
    page.get_by_label("API key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_contain_text("does not know this key")
    page.get_by_label("API key").fill(KEY)
    page.get_by_role("button", name="Open").click()
    expect(page.locator("h1")).to_have_text("elec2")


def test_the_story_of_a_healed_drift_is_there_to_read(page: Page, gateway: Running) -> None:
    tell(gateway)
    enter(page, gateway)

    expect(page.locator(".tile.version")).to_contain_text("v2")
    expect(page.locator(".chart .band")).to_have_count(2)
    expect(page.locator(".chart .mark.alert")).to_have_count(2)
    expect(page.locator(".chart .mark.recovery")).to_have_count(1)
    expect(page.locator("#parts li")).to_have_count(9)
    expect(page.locator(".features tbody tr").first).to_contain_text("nswprice")
    page.locator("[data-incident=incident-1] .head").click()
    story = page.locator("[data-incident=incident-1] .story li")
    for told in (
        "Noticed: Accuracy fell from 0.86 to 0.61",
        "Blamed: concept drift",
        "Retrains the model: The rule changed",
        "Version 2 is now champion: trained on rows since the change",
        "It helped: accuracy 85.3 % over 500 rows, wanted at least 74.0 %",
        "Outcome: healed itself",
    ):
        expect(story.filter(has_text=told)).to_have_count(1)


def test_what_a_code_stands_for_is_told_in_words(page: Page, gateway: Running) -> None:
    tell(gateway)
    late = {"at": utc_now(), "incident": "incident-2"}
    gateway.put(AUDIT, audit(8, "triaged", "bad_field: it leapt", body={"diagnosis": "bad_field"}, **late))
    gateway.put(AUDIT, audit(9, "awaiting_approval", "quarantine_source waits for approval", **late))
    enter(page, gateway)

    expect(page.locator(".alerts")).to_contain_text("nswprice: drift (PSI) 1.9")
    expect(page.locator("[data-incident=incident-2] .story")).to_contain_text("Blamed: bad field: it leapt")


def test_a_level_in_another_unit_is_told_beside_what_is_usual(page: Page, gateway: Running) -> None:
    found = Evidence(statistic="unit.distance_km", value=4250.0, threshold=6.1, window=window(1), samples=50)
    gateway.put(PIPELINES, defined())
    gateway.put(ALERTS, alert(evidence=found, since=utc_now(), at=utc_now()))
    enter(page, gateway)

    expect(page.locator(".alerts")).to_contain_text("distance_km: typical value 4,250, usual at most 6.1, on 50 rows")


def test_an_anomaly_pipeline_without_truth_shows_no_metric_until_it_is_measured(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined(name="cpu", kind="anomaly", target=None))
    enter(page, gateway)
    expect(page.locator(".tile", has_text="rows seen")).to_be_visible()
    metric = page.locator(".tile", has_text="accuracy")
    expect(metric).to_have_count(0)

    gateway.put(METRICS, metrics(0, {"accuracy": 0.75}, pipeline="cpu", at=utc_now()))

    expect(metric).to_contain_text("75.0 %")


def test_of_alerts_that_are_over_the_newest_are_listed_and_the_rest_counted(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined())
    gateway.put(ALERTS, *(alert("resolved", id=f"a{n}", fingerprint=f"f{n}", at=utc_now()) for n in range(8)))
    gateway.put(ALERTS, alert(id="now", fingerprint="now", since=utc_now(), at=utc_now()))
    enter(page, gateway)

    expect(page.locator(".alerts li")).to_have_count(6)
    expect(page.locator(".alerts")).to_contain_text("and 3 more that are resolved")


def test_an_incident_that_is_measured_says_how_far_it_is(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined())
    gateway.put(COMMANDS, command())
    gateway.put(COMMAND_RESULTS, result())
    told = {"command": "command-1", "action": "retrain"}
    gateway.put(
        AUDIT,
        audit(0, "incident_opened", "accuracy fell"),
        audit(1, "command_result", "retrain succeeded", body={"command": "command-1", "state": "succeeded"}),
        audit(2, "measuring", "accuracy is 0.8 over 250 rows", body={**told, "rows": 250}),
    )
    enter(page, gateway)

    head = page.locator("[data-incident=incident-1] .chip")
    expect(head).to_have_text("checking that it helped: 250 of 500 labelled rows")
    expect(page.locator("[data-incident=incident-1] .story")).to_contain_text("So far: accuracy is 0.8 over 250 rows")


def test_two_figures_that_differ_never_read_the_same(page: Page, gateway: Running) -> None:
    expects = {"metric": "performance.accuracy", "direction": "up", "bound": 0.75}
    judged = {"command": "command-1", "answer": "missed", "measured": 0.7499, "rows": 500, "expects": expects}
    gateway.put(PIPELINES, defined())
    gateway.put(AUDIT, audit(0, "incident_opened", "accuracy fell"), audit(1, "not_verified", "x", body=judged))
    enter(page, gateway)

    expect(page.locator(".story")).to_contain_text("accuracy 74.99 % over 500 rows, wanted at least 75.00 %")


def test_a_version_that_answers_nothing_says_so_where_it_stands(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined())
    gateway.put(MODEL_PUBLISHED, published())
    gateway.put(PREDICTIONS, *(prediction(f"e{n}", None, reason="model-failed: altered") for n in range(12)))
    enter(page, gateway)

    expect(page.locator(".tile.bad")).to_contain_text("answers none of the newest 12 rows")


def test_a_hold_on_learning_is_told_beside_the_live_version_until_it_is_released(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined())
    gateway.put(MODEL_PUBLISHED, published())
    asked = {"incident": "", "issued_by": "person:ann", "expects": None, "arguments": {}}
    since = utc_now() - timedelta(days=3)
    gateway.put(COMMANDS, command(id="hold", action="hold", reason="before the restart", at=since, **asked))
    gateway.put(COMMAND_RESULTS, result(command="hold", model_version=None))
    enter(page, gateway)
    told = page.locator(".model .hold")
    expect(told).to_contain_text("Learning is on hold since")
    expect(told).to_contain_text("3 days ago, by person:ann: before the restart. homeostat release-hold elec2 ends it")

    gateway.put(COMMANDS, command(id="go-on", action="release_hold", reason="done", at=utc_now(), **asked))
    gateway.put(COMMAND_RESULTS, result(command="go-on", model_version=None))

    expect(told).to_have_count(0)


def test_it_is_live_a_new_alert_and_a_new_window_show_without_a_reload(page: Page, gateway: Running) -> None:
    tell(gateway)
    enter(page, gateway)
    expect(page.locator(".alerts li")).to_have_count(2)

    gateway.put(ALERTS, alert(id="alert-9", kind="lag", summary="the queue grows", since=utc_now(), at=utc_now()))
    gateway.put(METRICS, metrics(80, {"accuracy": 0.4321}, at=utc_now(), model_version="2"))

    expect(page.locator(".alerts li").first).to_contain_text("the queue grows")
    expect(page.locator(".tile", has_text="accuracy")).to_contain_text("43.2 %")


def test_inputs_are_shown_while_the_stream_pauses(page: Page, gateway: Running) -> None:
    tell(gateway)
    idle = metrics(40, {}, family="data", at=utc_now(), window=window(40, 500), revision=1)
    gateway.put(METRICS, idle)

    enter(page, gateway)

    expect(page.locator(".features")).to_contain_text("rows 19,500 to 19,999")


def test_a_version_that_no_window_names_has_a_mark_of_its_own(page: Page, gateway: Running) -> None:
    tell(gateway)
    gateway.put(MODEL_PUBLISHED, published("3", reason="better at the gate"), published("2", reason="went back"))

    enter(page, gateway)

    expect(page.locator(".chart .band.brief")).to_have_count(1)
    expect(page.locator(".chart .band.brief text")).to_have_text("v3")


def test_a_figure_of_the_version_before_the_live_one_says_so(page: Page, gateway: Running) -> None:
    tell(gateway)
    gateway.put(MODEL_PUBLISHED, published("3", reason="better at the gate"))

    enter(page, gateway)

    expect(page.locator(".tile", has_text="accuracy")).to_contain_text("measured on v2")


def test_an_incident_that_waits_for_a_person_says_so_and_is_no_quiet_number(page: Page, gateway: Running) -> None:
    tell(gateway)
    gateway.put(AUDIT, audit(8, "incident_opened", "answers fail", incident="incident-3", at=utc_now()))
    enter(page, gateway)
    tile = page.locator(".tile.warn", has_text="open incidents")
    expect(tile).to_contain_text("a person is needed for 1")

    gateway.put(AUDIT, audit(9, "escalated", "nothing helped", incident="incident-3", at=utc_now()))

    expect(tile).to_contain_text("2a person is needed")
    expect(tile).not_to_contain_text("for 1")


def test_a_critical_alert_without_an_incident_is_not_said_to_be_nothing(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined())
    enter(page, gateway)
    tile = page.locator(".tile", has_text="open incidents")
    expect(tile).to_contain_text("nothing to deal with")

    gateway.put(ALERTS, alert(since=utc_now(), at=utc_now()))

    expect(tile).to_contain_text("but a critical alert fires")


def test_the_tab_of_a_pipeline_in_trouble_is_marked_while_another_is_shown(page: Page, gateway: Running) -> None:
    gateway.put(PIPELINES, defined(), defined(name="other"))
    enter(page, gateway)
    mark = page.locator(".tabs button", has_text="other").get_by_role("img")
    expect(page.locator(".tile", has_text="alerts firing")).to_contain_text("elec2 is quiet")
    expect(mark).to_have_count(0)

    gateway.put(ALERTS, alert(pipeline="other", since=utc_now(), at=utc_now()))
    gateway.put(AUDIT, audit(0, "incident_opened", "accuracy fell", pipeline="other", at=utc_now()))

    expect(mark).to_have_accessible_name("1 alert firing, 1 open incident")
    expect(page.locator(".tabs").get_by_role("img")).to_have_count(1)


def test_marks_that_have_no_room_side_by_side_become_one_that_counts(page: Page, gateway: Running) -> None:
    tell(gateway)
    gateway.put(
        ALERTS, *(alert(id=f"alert-{n}", summary=f"fault {n}", since=utc_now(), at=utc_now()) for n in range(9))
    )
    page.set_viewport_size({"width": 390, "height": 844})
    enter(page, gateway)

    expect(page.locator(".chart .mark.alert text")).to_have_count(1)
    expect(page.get_by_role("img", name="fault 0")).to_have_accessible_name(
        re.compile("fault 1.*fault 2|fault 2.*fault 1")
    )


def test_a_fault_far_beyond_the_rest_is_marked_with_its_figure_and_flattens_nothing(
    page: Page, gateway: Running
) -> None:
    gateway.put(PIPELINES, defined(kind="regression", target="vicprice"))
    errors = [2.0 + n % 2 for n in range(40)]
    errors[20:22], errors[30:34] = [11_000.0, 18_690.0], [9.0] * 4
    gateway.put(METRICS, *(metrics(n, {"mae": error}) for n, error in enumerate(errors)))
    enter(page, gateway)

    beyond = page.locator(".chart .beyond")
    expect(beyond).to_have_count(1)
    expect(beyond).to_have_accessible_name("18,690, beyond the axis")
    ticks = page.locator(".chart .tick").all_text_contents()
    assert {"2", "4", "6", "8"} <= set(ticks)
    assert "10,000" not in ticks


def test_marks_never_cover_each_other_nor_do_labels_of_brief_versions(page: Page, gateway: Running) -> None:
    tell(gateway)
    gateway.put(ALERTS, *(alert(id=f"alert-{n}", since=utc_now(), at=utc_now()) for n in range(3)))
    for n in range(9, 12):
        opened, closed = (
            audit(2 * n + k, kind, "x", incident=f"incident-{n}", at=utc_now())
            for k, kind in enumerate(("incident_opened", "incident_resolved"))
        )
        gateway.put(AUDIT, opened, closed)
    gateway.put(MODEL_PUBLISHED, *(published(version) for version in ("13", "14", "2")))
    page.set_viewport_size({"width": 390, "height": 844})
    enter(page, gateway)
    expect(page.locator(".chart .band.brief")).to_have_count(2)

    for kind, size in ((".chart .mark circle", 14), (".chart .band.brief text", 20)):
        boxes = [each.bounding_box() for each in page.locator(kind).all()]
        places = [(box["x"], box["y"]) for box in boxes if box is not None]
        assert places
        assert all(abs(a - c) >= size or abs(b - d) >= 14 for a, b in places for c, d in places if (a, b) != (c, d))
        assert len(set(places)) == len(places)


def test_a_person_can_approve_what_waits_for_approval(page: Page, gateway: Running) -> None:
    tell(gateway)
    enter(page, gateway)

    with page.expect_response(lambda answer: answer.url.endswith("/incident-2/approve")) as answered:
        page.get_by_role("button", name="Approve").click()

    assert answered.value.status == 202


def test_what_comes_in_a_message_is_text_never_markup(page: Page, gateway: Running) -> None:
    tell(gateway)
    gateway.put(ALERTS, alert(id="alert-x", summary=PAYLOAD, since=utc_now(), at=utc_now()))
    gateway.put(AUDIT, audit(8, "incident_opened", PAYLOAD, incident="incident-x", at=utc_now()))
    enter(page, gateway)

    expect(page.locator(".alerts li").first).to_contain_text(PAYLOAD)
    expect(page.locator("[data-incident=incident-x]")).to_contain_text(PAYLOAD)
    assert page.title() == "Homeostat"
    assert page.locator("main img, main script").count() == 0


def test_with_no_pipeline_it_says_how_to_begin(page: Page, gateway: Running) -> None:
    enter(page, gateway)

    expect(page.locator("main")).to_contain_text("homeostat pipeline init FILE --target COLUMN")


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_runs_out_of_the_window(browser: Browser, gateway: Running, width: int) -> None:
    tell(gateway)
    context = browser.new_context(viewport={"width": width, "height": 844})
    page = context.new_page()

    enter(page, gateway)
    expect(page.locator(".plot svg")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    context.close()
