"""What each command shows, as a table and as JSON, and the status it ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.cli.bench import BENCHMARKS
from homeostat.local.discovery import Claim
from homeostat.local.waiting import wait_for
from services.remediator.core.ledger import Head, sealed
from shared import topics
from shared.topics import AUDIT, METRICS, MODEL_PUBLISHED, PIPELINES, RAW_DATA, REQUESTS, TELEMETRY
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.messages import audit, command, defined, heartbeat, metrics, published
from tests.services.gateway.running import KEY, Running, running

COMMANDS = (
    "up", "demo", "status", "send", "labels", "predict", "tail", "alerts", "bench",
    "pipeline init", "pipeline check", "pipeline show", "pipeline apply",
    "models list", "models show", "models live", "models compare", "models promote", "models rollback",
    "models retrain", "incidents list", "incidents show", "incidents postmortem", "incidents approve",
    "incidents reject", "incidents acknowledge", "quarantine list", "quarantine release", "audit show", "audit verify",
)  # fmt: skip
READING = (
    "status", "alerts", "alerts --all", "incidents list", "incidents show incident-1", "models list elec2",
    "models live elec2", "models show elec2 2", "models compare elec2 1 2", "audit show",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(call: Call, command: str) -> None:
    shown = call(*command.split(), "--help")

    assert shown.status == 0
    assert f"Usage: homeostat {command}" in shown.out


def test_help_shows_a_variable_only_where_it_is_not_called_after_its_option(call: Call) -> None:
    shown = call("send", "--help").out

    assert "HOMEOSTAT_URL" in shown
    assert "HOMEOSTAT_SEND" not in shown


@pytest.mark.parametrize(
    "words", ["nothing", "status --loud", "send elec2", "send elec2 - --batch 0", "models", "models show"]
)
def test_bad_usage_ends_with_status_2(call: Call, words: str) -> None:
    assert call(*words.split()).status == 2


@pytest.mark.parametrize("words", READING)
def test_reading_gives_a_table_or_with_json_nothing_but_json(ask: Call, words: str) -> None:
    table, as_json = ask(*words.split()), ask(*words.split(), "--json")

    assert (table.status, as_json.status) == (0, 0), (table.err, as_json.err)
    assert table.out.strip()
    assert as_json.json
    assert as_json.err == ""


def test_tables_show_times_to_the_second_and_nothing_in_brackets(ask: Call) -> None:
    shown = ask("incidents", "show", "incident-1").out

    assert "+00:00" not in shown
    assert "verified" in shown
    assert "audit/0@" in shown


@pytest.mark.parametrize("words", ["alerts --all", "incidents list", "models list", "quarantine list"])
def test_a_list_is_of_every_pipeline_or_of_the_one_named_after_it(ask: Call, gateway: Running, words: str) -> None:
    arguments = {"source": "feed", "fields": ["nswprice"]}
    gateway.put(topics.COMMANDS, command(id="c1", action="quarantine_source", arguments=arguments))
    gateway.put(PIPELINES, defined(name="other"))

    every, one, other = (ask(*words.split(), *name, "--json").json for name in ((), ("elec2",), ("other",)))

    assert {row["pipeline"] for row in one} == {"elec2"}
    assert [row for row in every if row["pipeline"] == "elec2"] == one
    assert other == []


def test_alerts_are_those_that_fire_unless_all_are_asked_for(ask: Call) -> None:
    firing, every = ask("alerts", "--json").json, ask("alerts", "--all", "--json").json

    assert [alert["id"] for alert in firing] == ["alert-2"]
    assert {alert["id"] for alert in every} == {"alert-1", "alert-2"}


def test_status_tells_what_has_not_come_back_yet_and_whose_state_lacks_something(ask: Call, gateway: Running) -> None:
    now = gateway.parts.now()
    gateway.put(TELEMETRY, heartbeat("mlflow", now, state="draining", starting=True))
    gateway.put(TELEMETRY, heartbeat("monitor", now, incomplete="records of journaled steps are gone"))

    shown = ask("status")

    assert "starting" in shown.out
    assert "monitor/0: its state is incomplete: records of journaled steps are gone" in shown.out


@pytest.mark.parametrize(
    ("live", "labelled", "reason"),
    [
        (False, 0, "none yet: no labels"),
        (False, 600, "none yet: labels of 600 rows, no live model"),
        (True, 600, "none yet: labels of 600 rows, too few of them answered by a model"),
    ],
)
def test_status_tells_why_nothing_is_measured_yet(
    ask: Call, gateway: Running, live: bool, labelled: int, reason: str
) -> None:
    gateway.put(PIPELINES, defined(name="shop"))
    counted = metrics(0, {"psi.a": 0.1}, family="data", pipeline="shop", labelled_seen=labelled)
    gateway.put(METRICS, counted)
    if live:
        gateway.put(MODEL_PUBLISHED, published("1", pipeline="shop"))

    shown = ask("status")

    assert reason in " ".join(shown.out.split())
    assert shown.out.count("none yet") == 1


def test_an_incident_tells_each_action_once_and_in_json_every_record(ask: Call) -> None:
    shown, whole = ask("incidents", "show", "incident-1"), ask("incidents", "show", "incident-1", "--json").json

    assert shown.out.count("commands/0@") == 1
    assert "command_" not in shown.out
    assert shown.out.count("version 2 is champion") == 1
    assert {"command_issued", "command", "command_succeeded"} <= {step["kind"] for step in whole["steps"]}


def test_a_postmortem_can_be_written_to_a_file_as_markdown(ask: Call) -> None:
    shown = ask("incidents", "postmortem", "incident-1")

    assert shown.status == 0
    assert shown.out.startswith("# ")
    assert max(map(len, shown.out.splitlines())) > 100


def test_what_is_not_there_is_one_error_with_status_1(ask: Call) -> None:
    for words in ("incidents show nope", "models show elec2 99", "models list nope"):
        shown = ask(*words.split())

        assert shown.status == 1
        assert shown.out == ""
        assert shown.err.startswith("error: ")
        assert "404" in shown.err


def test_a_gateway_that_does_not_answer_is_said_with_its_address(call: Call, tmp_path: Path) -> None:
    shown = call("status", "--url", "http://127.0.0.1:9", "--data", str(tmp_path))

    assert shown.status == 1
    assert "no answer from http://127.0.0.1:9" in shown.err
    assert "homeostat up" in shown.err


def test_a_stack_that_was_stopped_is_said_with_where_it_was(call: Call, tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    claim.announce({"gateway": "http://127.0.0.1:9"}, {})
    claim.release()

    shown = call("status", "--data", str(tmp_path))

    assert shown.status == 1
    assert "no answer from http://127.0.0.1:9" in shown.err
    assert f"No stack runs on {tmp_path}" in shown.err.replace("\n", "")


@pytest.mark.parametrize(("key", "says"), [("another", "api-key is not accepted"), (None, "has no key")])
def test_a_stack_that_belongs_to_another_folder_is_said_to_with_what_to_do(
    call: Call, gateway: Running, tmp_path: Path, key: str | None, says: str
) -> None:
    if key is not None:
        (tmp_path / "api-key").write_text(key)

    shown = call("status", "--url", gateway.url, "--data", str(tmp_path))

    assert shown.status == 1
    assert says in shown.err
    assert f"the stack at {gateway.url} may belong to another data folder" in shown.err
    assert "--data FOLDER" in shown.err


def test_a_key_that_was_given_and_is_wrong_is_said_to_be_that(call: Call, gateway: Running, tmp_path: Path) -> None:
    shown = call("alerts", "--url", gateway.url, "--api-key", "wrong", "--data", str(tmp_path))

    assert "The key that was given is not one of the stack at" in shown.err


def test_a_live_view_without_a_stack_says_how_to_come_by_one(call: Call, tmp_path: Path) -> None:
    shown = call("tail", "predictions", "--data", str(tmp_path))

    assert shown.status == 1
    assert f"no stack runs on {tmp_path}: `homeostat up --data {tmp_path}` starts one" in shown.err


def test_models_of_every_pipeline_are_listed_where_none_is_named(ask: Call, gateway: Running) -> None:
    alone = ask("models", "list")
    gateway.put(PIPELINES, defined(name="elec3"))
    gateway.put(MODEL_PUBLISHED, published("1", pipeline="elec3"))
    several = ask("models", "list")

    assert alone.out == ask("models", "list", "elec2").out
    assert {row.split()[0] for row in several.out.splitlines() if " champion " in row} == {"elec2", "elec3"}
    assert {model["pipeline"] for model in ask("models", "list", "--json").json} == {"elec2", "elec3"}
    assert "accuracy 0.86; the first model" in several.out


def test_status_shows_where_each_part_of_the_local_stack_is(call: Call, gateway: Running, tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    claim.announce({"gateway": gateway.url, "kafka": "127.0.0.1:19092"}, {})
    words = ("status", "--api-key", KEY, "--data", str(tmp_path))

    table, as_json = call(*words), call(*words, "--json")

    claim.release()
    assert "127.0.0.1:19092" in table.out
    assert as_json.json["addresses"]["kafka"] == "127.0.0.1:19092"


def test_a_person_s_request_goes_to_the_remediator_with_its_reason(ask: Call, gateway: Running) -> None:
    shown = ask("models", "rollback", "elec2", "--to", "1", "--reason", "it looks odd")

    assert shown.status == 0
    (request,) = gateway.written(REQUESTS)
    assert (request.action, request.arguments, request.reason) == ("rollback", {"to_version": "1"}, "it looks odd")
    assert request.id in shown.out


def test_rows_of_a_file_are_sent_and_those_refused_are_named(ask: Call, gateway: Running, tmp_path: Path) -> None:
    file = tmp_path / "rows.ndjson"
    good = {"id": "a", "nswprice": 0.1, "nswdemand": 0.2, "vicprice": 0.3}
    file.write_text(json.dumps(good) + "\n" + json.dumps({**good, "id": "b", "nswprice": "dear"}) + "\n")

    shown = ask("send", "elec2", str(file), "--source", "meter-7")

    assert shown.status == 1
    assert "2 rows: 1 accepted, 1 rejected (1 type)" in shown.out
    assert "line 2 (id b): nswprice: is the text 'dear', not a number" in shown.out
    assert {record.source for record in gateway.written(RAW_DATA)} == {"meter-7"}


def test_rows_that_come_one_by_one_are_sent_as_they_come(gateway: Running) -> None:
    words = ["send", "elec2", "-", "--no-wait", "--json", "--url", gateway.url, "--api-key", KEY]
    good = {"nswprice": 0.1, "nswdemand": 0.2, "vicprice": 0.3}
    command = [sys.executable, "-m", "homeostat", *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as sending:
        assert sending.stdin
        sending.stdin.write(json.dumps({**good, "id": "a"}) + "\n")
        assert wait_for(lambda: [record.id for record in gateway.written(RAW_DATA)] == ["a"], 30)
        out, _ = sending.communicate(json.dumps({**good, "id": "b"}) + "\n", timeout=30)

    assert sending.returncode == 0
    assert json.loads(out) == {
        "rows": 2, "accepted": 2, "rejected": [], "rejected_rows": 0, "reasons": {}, "ignored": {"nswdemand": 2}
    }  # fmt: skip
    assert [record.id for record in gateway.written(RAW_DATA)] == ["a", "b"]


@pytest.mark.parametrize("size", [1_000_000, 17_000_000])
def test_a_row_that_is_too_large_is_named_by_its_line_with_the_limit_and_the_others_are_in(
    ask: Call, gateway: Running, tmp_path: Path, size: int
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,nswprice,vicprice,note\na,1,1,x\n\nb,1,1," + "x" * size + "\nc,1,1,y\n")

    shown = ask("send", "elec2", str(file), "--no-wait")

    assert shown.status == 1
    assert "3 rows: 2 accepted, 1 rejected (1 too-large)" in shown.out
    assert f"line 4 (id b): the row has {size}"[:-6] in shown.out
    assert "may have at most 900000" in shown.out
    assert [record.id for record in gateway.written(RAW_DATA)] == ["a", "c"]


def test_parts_of_which_every_row_is_refused_are_counted_like_the_others(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("id,nswprice,vicprice\na,1,dear\nb,1,1\nc,1,1\n")

    shown = ask("send", "elec2", str(file), "--batch", "1", "--json")

    assert shown.status == 1
    assert (shown.json["accepted"], [row["id"] for row in shown.json["rejected"]]) == (2, ["a"])


def test_a_file_without_the_label_column_is_said_before_anything_is_sent(
    ask: Call, gateway: Running, tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("id,truth\na,1\n")

    shown = ask("labels", "elec2", str(file))

    assert shown.status == 1
    assert "labels of elec2 need 'id' and 'up' or 'label'" in shown.err
    assert "--label-column" in shown.err
    assert gateway.written(RAW_DATA) == []


def test_a_broken_ledger_fails_with_the_entry_at_fault(ask: Call) -> None:
    shown = ask("audit", "verify", "--json")

    assert shown.status == 1
    assert shown.json["ok"] is False
    assert f"broken at entry {shown.json['fault']['sequence']}" in shown.err


def test_a_cut_tail_shows_against_a_noted_head(call: Call, tmp_path: Path) -> None:
    head, chain = Head(), []
    for number in range(1, 4):
        chain.append(sealed(audit(number, "alert_joined", "again"), head))
        head = Head(number, chain[-1].hash)

    with running(tmp_path) as gateway:
        gateway.put(AUDIT, *chain[:2])
        verify = ("audit", "verify", "--url", gateway.url, "--api-key", KEY)
        alone = call(*verify, "--json")
        noted, wrong = call(*verify, "--head", f"3:{head.hash}"), call(*verify, "--head", "3")
        gateway.put(AUDIT, chain[2])
        whole = call(*verify, "--head", alone.json["head"])

    assert alone.json["head"] == f"2:{chain[1].hash}"
    assert (noted.status, "broken at entry 3: missing" in noted.err) == (1, True)
    assert (wrong.status, "'3' is no head" in wrong.err) == (1, True)
    assert (whole.status, f"3 entries, head 3:{head.hash}" in whole.out) == (0, True)


@pytest.mark.parametrize(
    "words",
    [
        "models promote elec2 2", "models rollback elec2", "models retrain elec2", "incidents acknowledge incident-1",
        "pipeline check examples/electricity/pipeline.yaml", "pipeline apply examples/electricity/pipeline.yaml",
    ],
)  # fmt: skip
def test_what_is_asked_for_is_answered_in_json_too(ask: Call, call: Call, words: str) -> None:
    run = call if words.startswith("pipeline check") else ask

    shown = run(*words.split(), "--json")

    assert (shown.status, shown.err) == (0, "")
    assert shown.json


def test_a_ledger_longer_than_a_page_is_read_once_from_end_to_end(ask: Call, gateway: Running) -> None:
    gateway.put(AUDIT, *(audit(number, "alert_joined", "again") for number in range(100, 2300)))

    sequences = [entry["sequence"] for entry in ask("audit", "show", "--json").json]

    assert len(sequences) > 2200
    assert sequences == sorted(set(sequences))


def test_a_specification_without_a_target_is_one_for_unusual_rows_and_asks_which_is_meant(
    call: Call, tmp_path: Path
) -> None:
    rows, out = tmp_path / "rows.csv", tmp_path / "cpu.yaml"
    rows.write_text("load,free\n" + "".join(f"{n}.5,{n * n}\n" for n in range(100)))

    neither = call("pipeline", "init", str(rows))
    both = call("pipeline", "init", str(rows), "--target", "load", "--kind", "anomaly")
    written = call("pipeline", "init", str(rows), "--kind", "anomaly", "--out", str(out))

    assert (neither.status, both.status, written.status) == (1, 1, 0)
    for choice in ("--target COLUMN", "--kind anomaly"):
        assert f"homeostat pipeline init {rows} {choice}" in neither.err.replace("\n", " ")
    assert "leave out --target load" in both.err
    assert "cpu.yaml is right: pipeline cpu, 2 features" in call("pipeline", "check", str(out)).out.replace("\n", "")


def test_brackets_in_an_error_are_shown_and_not_taken_for_markup(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "[red]rows.csv"

    shown = call("pipeline", "init", str(file), "--target", "y")

    assert shown.status == 1
    assert "[red]rows.csv" in shown.err


def test_every_specification_that_is_given_is_checked_and_each_fault_told(call: Call, tmp_path: Path) -> None:
    broken = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    for file in broken:
        file.write_text("name: p\nkind: binary\nsorts: {}\n")

    shown = call("pipeline", "check", str(broken[0]), "examples/electricity/pipeline.yaml", str(broken[1]))

    assert shown.status == 1
    assert "examples/electricity/pipeline.yaml is right" in shown.out
    assert all(f"{file}:3" in shown.err for file in broken)


def test_a_benchmark_that_is_not_known_is_named_with_those_that_are(call: Call) -> None:
    shown = call("bench", "--only", "nothing")

    assert shown.status != 0
    assert f"'nothing' is no benchmark; known are {', '.join(BENCHMARKS)}" in shown.err
