"""An incident's steps as lines: each action once."""

from __future__ import annotations

from typing import Any

from homeostat.cli.telling import state_of, steps_of

ACTION = {"command": "c", "action": "retrain", "state": "failed", "detail": "no better"}


def step(kind: str, topic: str, summary: str = "", **body: Any) -> dict[str, Any]:
    return {"at": "now", "kind": kind, "summary": summary, "body": body, "topic": topic, "partition": 0, "offset": 1}


ORDERED = [
    step("command_issued", "audit", "retrain: it drifts", command="c"),
    step("command", "commands", "it drifts", id="c"),
    step("command_accepted", "command-results", command="c"),
    step("command_result", "audit", "retrain failed: no better", command="c"),
    step("command_failed", "command-results", "no better", command="c"),
]


def test_an_action_is_one_line_with_its_state_and_what_was_said_of_it() -> None:
    (line,) = steps_of({"steps": ORDERED, "actions": [ACTION]})

    assert (line["step"], line["summary"], line["state"]) == ("retrain", "it drifts: no better", "failed")
    assert line["where"] == "commands/0@1"


def test_of_an_action_whose_order_is_forgotten_the_ledger_still_tells() -> None:
    told = steps_of({"steps": [ORDERED[0], ORDERED[3]], "actions": []})

    assert [line["step"] for line in told] == ["command_issued", "command_result"]


def test_a_version_is_told_once_by_whoever_told_of_it() -> None:
    ledger, topic = (step("model_published", name, version="2") for name in ("audit", "model-published"))

    assert [line["where"] for line in steps_of({"steps": [ledger, topic], "actions": []})] == ["model-published/0@1"]
    assert [line["where"] for line in steps_of({"steps": [ledger], "actions": []})] == ["audit/0@1"]


def test_of_a_measuring_only_how_far_it_is_now_is_told_and_nothing_once_it_is_judged() -> None:
    windows = [step("measuring", "audit", f"{rows} rows", command="c") for rows in (50, 100, 150)]
    verdict = step("verified", "audit", "it helped", command="c")

    during = steps_of({"steps": windows, "actions": []})
    after = steps_of({"steps": [*windows, verdict], "actions": []})

    assert [line["summary"] for line in during] == ["150 rows"]
    assert [line["summary"] for line in after] == ["it helped"]


def test_a_state_says_how_far_its_measuring_is() -> None:
    progress = {"told": "250 of 500 labelled rows"}

    assert state_of({"state": "verifying", "progress": progress}) == "verifying, 250 of 500 labelled rows"
    assert state_of({"state": "resolved", "progress": None}) == "resolved"


def test_what_became_of_a_message_stands_in_brackets_behind_its_sentences() -> None:
    told = step("command", "commands", "prices needs a person. Nothing helped.", id="c")
    sent = {"command": "c", "action": "notify", "state": "succeeded", "detail": "delivered to ops"}

    (line,) = steps_of({"steps": [told], "actions": [sent]})

    assert line["summary"] == "prices needs a person. Nothing helped. (delivered to ops)"
