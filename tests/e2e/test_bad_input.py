"""Whatever is wrong is refused where it came in, with what and where; and nothing else is harmed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from confluent_kafka import Producer

from homeostat.client import ApiError
from homeostat.demo.bad_release import wrong_candidate
from homeostat.local.waiting import wait_for
from homeostat.rows import Row, frame_of, rows_of
from shared.pipeline.check import checked
from shared.pipeline.load import load
from shared.pipeline.specification import Specification
from tests.support.stack import Home, run_cli

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.xdist_group("home"), pytest.mark.timeout(300)]

EXAMPLE = Path("examples/electricity")
NAME = "careful"
PATH = f"/v1/pipelines/{NAME}"
TEN_MEGABYTES = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def table() -> list[Row]:
    return rows_of(frame_of(str(EXAMPLE / "data.parquet")))[:2000]


@pytest.fixture(scope="module")
def careful(home: Home, table: list[Row]) -> Specification:
    """A pipeline of its own, with a first model trained on 400 rows."""
    document = {**load(EXAMPLE / "pipeline.yaml").canonical, "name": NAME}
    document["models"] = {**document["models"], "min_rows": 400, "search": {"seconds": 1, "trials": 2}}
    specification, problems = checked(document)
    assert specification is not None, problems
    home.client.define(specification.canonical)
    home.client.send_events(NAME, table[:400], "history")
    assert wait_for(lambda: bool(home.client.get(f"{PATH}/models")["models"]), 120), "no first model"
    return specification


@pytest.fixture(autouse=True)
def _nothing_else_is_harmed(home: Home, careful: Specification, table: list[Row], request: Any) -> Iterator[None]:
    """After each refusal a good row still gets its prediction from a model."""
    yield
    row = {**table[500], "id": f"good after {request.node.name}"}
    row.pop("target")
    (answer,) = home.client.call("POST", f"{PATH}/predict?timeout=30", json=row)["predictions"]
    assert answer["prediction"] in (0, 1), answer


def _send(home: Home, *rows: Any) -> Any:
    return home.client.call("POST", f"{PATH}/events", json=list(rows))


def _letter(home: Home, event: str) -> dict[str, Any]:
    """The dead letter of this event, once it is there."""
    found: list[dict[str, Any]] = []

    def came() -> bool:
        letters = home.client.get("/v1/dead-letters", pipeline=NAME)["dead_letters"]
        found[:] = [letter for letter in letters if letter["id"] == event]
        return bool(found)

    assert wait_for(came, 30), f"no dead letter for {event}"
    return found[0]


def test_a_row_that_breaks_the_schema_is_refused_by_field_and_kept_as_a_dead_letter(
    home: Home, table: list[Row]
) -> None:
    bad = {**table[600], "id": "bad-1", "nswdemand": "much"}

    answer = _send(home, {**table[601], "id": "good-1"}, bad)

    assert answer["accepted"] == 1
    (refused,) = answer["rejected"]
    assert (refused["index"], refused["id"], refused["field"]) == (1, "bad-1", "nswdemand")
    assert "much" in refused["detail"]
    letter = _letter(home, "bad-1")
    assert letter["field"] == "nswdemand"
    assert letter["origin"]["topic"] == "raw-data"
    assert '"much"' in letter["value"]


def test_the_command_line_says_which_rows_of_a_file_were_refused_and_why(
    home: Home, table: list[Row], tmp_path: Path
) -> None:
    file = tmp_path / "rows.ndjson"
    rows = [{**table[610], "id": "cli-good"}, {**table[611], "id": "cli-bad", "day": 9}]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    done = home.cli("send", NAME, str(file))

    assert done.returncode == 1
    assert "1 accepted, 1 rejected" in done.stdout
    assert "cli-bad" in done.stdout
    assert "day" in done.stdout
    assert "1 of 2 rows were rejected" in done.stderr


def test_a_csv_that_is_not_what_its_name_says_is_refused_with_its_path(home: Home, tmp_path: Path) -> None:
    picture = tmp_path / "rows.csv"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20)

    done = home.cli("send", NAME, str(picture))

    assert done.returncode == 1
    assert f"{picture} is not what its name says" in done.stderr.replace("\n", " ")
    assert "Traceback" not in done.stderr


def test_a_parquet_that_is_a_csv_is_refused_with_its_path(home: Home, tmp_path: Path) -> None:
    wrong = tmp_path / "rows.parquet"
    wrong.write_text("id,day\n1,2\n")

    done = home.cli("send", NAME, str(wrong))

    assert done.returncode == 1
    assert f"{wrong} is not what its name says" in done.stderr.replace("\n", " ")


def test_an_unknown_field_in_a_specification_is_pointed_at_by_rest(home: Home, careful: Specification) -> None:
    document = json.loads(json.dumps(careful.canonical))
    document["models"]["lerners"] = ["logistic"]

    with pytest.raises(ApiError) as refused:
        home.client.define(document)

    assert refused.value.status == 422
    assert [error["pointer"] for error in refused.value.problem["errors"]] == ["#/models/lerners"]
    assert home.client.get(PATH)["version"] == 1


def test_an_unknown_field_in_a_specification_is_found_by_line_on_the_command_line(home: Home, tmp_path: Path) -> None:
    text = (EXAMPLE / "pipeline.yaml").read_text().replace("  min_rows:", "  lerners: [logistic]\n  min_rows:")
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)
    line = text.splitlines().index("  lerners: [logistic]") + 1

    for command in (("pipeline", "check", str(file)), ("pipeline", "apply", str(file))):
        done = home.cli(*command)

        assert done.returncode == 1
        assert f"{file}:{line}" in done.stderr.replace("\n", "")
        assert "lerners" in done.stderr


def test_a_label_for_an_event_nobody_sent_is_taken_and_counts_for_nothing(home: Home) -> None:
    before = home.client.get(f"{PATH}/metrics")["labelled_seen"]

    answer = home.client.call("POST", f"{PATH}/labels", json={"id": "never sent", "label": 1})

    assert (answer["accepted"], answer["rejected"]) == (1, [])
    assert home.client.get(f"{PATH}/metrics")["labelled_seen"] == before


def test_a_label_that_cannot_be_one_is_refused(home: Home) -> None:
    with pytest.raises(ApiError) as refused:
        home.client.call("POST", f"{PATH}/labels", json={"id": "0", "label": "perhaps"})

    assert refused.value.status == 422
    assert "perhaps" in refused.value.problem["rejected"][0]["detail"]


def test_a_row_asked_for_again_is_answered_as_before_and_another_under_its_id_refused_at_once(
    home: Home, table: list[Row]
) -> None:
    row = {name: value for name, value in table[615].items() if name != "target"} | {"id": "asked twice"}
    _send(home, row)
    (first,) = home.client.predict(NAME, [row])

    (again,) = home.client.predict(NAME, [row])
    (other,) = home.client.predict(NAME, [{**row, "nswdemand": row["nswdemand"] + 0.5}])

    assert first == again
    assert first["prediction"] in (0, 1)
    assert other["error"]["reason"] == "id-conflict"
    newest = home.client.get(f"{PATH}/predictions", limit=2000)["predictions"]
    assert [answer["id"] for answer in newest].count("asked twice") == 1


def test_the_same_row_again_is_one_event_and_another_row_under_its_id_a_dead_letter(
    home: Home, table: list[Row]
) -> None:
    row = {**table[620], "id": "twice"}
    _send(home, row)

    _send(home, row)
    _send(home, {**row, "nswdemand": row["nswdemand"] + 0.5})

    letter = _letter(home, "twice")
    assert letter["reason"] == "id-conflict"
    assert "twice" in letter["detail"]
    newest = home.client.get(f"{PATH}/predictions", limit=2000)["predictions"]
    assert [answer["id"] for answer in newest].count("twice") == 1


def test_an_event_of_ten_megabytes_is_refused_by_rest_with_its_size(home: Home, table: list[Row]) -> None:
    small = {**table[630], "id": "beside the giant"}

    answer = _send(home, {**table[631], "id": "giant", "note": "x" * TEN_MEGABYTES}, small)

    assert answer["accepted"] == 1
    (refused,) = answer["rejected"]
    assert (refused["id"], refused["reason"]) == ("giant", "too-large")
    assert str(TEN_MEGABYTES)[:2] in refused["detail"]


def test_a_body_above_the_limit_is_413_before_it_is_read(home: Home) -> None:
    url = f"{home.url}{PATH}/events"

    answer = httpx.post(url, content=b"[" + b" " * (2 * TEN_MEGABYTES) + b"]", headers=home.headers)

    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert "limit" in answer.json()


def test_an_event_of_ten_megabytes_is_refused_by_kafka_itself(home: Home) -> None:
    producer = Producer(
        {
            "bootstrap.servers": home.stack.urls["kafka"],
            "message.max.bytes": 2 * TEN_MEGABYTES,
            "compression.type": "none",
        }
    )
    outcome: list[str] = []

    producer.produce(
        home.full_name("raw-data"),
        b"x" * TEN_MEGABYTES,
        on_delivery=lambda error, _: outcome.append(error.name() if error else "taken"),
    )
    producer.flush(30)

    assert outcome == ["MSG_SIZE_TOO_LARGE"]


def test_what_is_no_record_on_kafka_becomes_a_dead_letter_with_its_bytes(home: Home) -> None:
    producer = Producer({"bootstrap.servers": home.stack.urls["kafka"]})
    producer.produce(home.full_name("raw-data"), b"not json at all")
    producer.flush(30)

    def came() -> bool:
        letters = home.client.get("/v1/dead-letters")["dead_letters"]
        return any(letter.get("value") == "not json at all" and letter["detail"] for letter in letters)

    assert wait_for(came, 30)


def _refused(home: Home, action: str) -> dict[str, Any]:
    """What the newest command of this kind came to, once that is that it failed."""
    found: list[dict[str, Any]] = []

    def failed() -> bool:
        commands = home.client.get("/v1/commands", pipeline=NAME)["commands"]
        found[:] = [command["result"] for command in commands if command["action"] == action and command["result"]]
        return bool(found) and found[0]["state"] == "failed"

    assert wait_for(failed, 60), found
    return found[0]


def _live(home: Home) -> str:
    return str(home.client.get(f"{PATH}/models/live")["version"])


def _damage(home: Home, sha256: str) -> None:
    file = home.data / "artifacts" / sha256
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(bytes(data))


def test_a_candidate_whose_artefact_was_altered_is_refused_and_the_live_version_goes_on(
    home: Home, careful: Specification, table: list[Row]
) -> None:
    key = home.stack.environ["HOMEOSTAT_SIGNING_KEY"].encode()
    candidate = wrong_candidate(careful, table, 400, home.data, key)
    _damage(home, candidate["artifact"]["sha256"])

    home.client.call("POST", f"{PATH}/promote", json={"candidate": candidate, "force": True})

    result = _refused(home, "promote")
    assert candidate["artifact"]["sha256"][:12] in result["detail"]
    assert _live(home) == "1"


def test_a_rollback_to_a_version_whose_artefact_was_altered_is_refused_and_the_live_version_goes_on(
    home: Home, careful: Specification, table: list[Row]
) -> None:
    key = home.stack.environ["HOMEOSTAT_SIGNING_KEY"].encode()
    candidate = wrong_candidate(careful, table, 390, home.data, key)
    home.client.call("POST", f"{PATH}/promote", json={"candidate": candidate, "force": True})
    assert wait_for(lambda: _live(home) != "1", 60)
    second = _live(home)
    _damage(home, home.client.get(f"{PATH}/models/1")["artifact"]["sha256"])
    before = home.stack.pid("predictor")
    home.stack.restart("predictor")  # so that the file is read again
    assert wait_for(lambda: home.stack.pid("predictor") not in (None, before), 30)

    home.client.call("POST", f"{PATH}/rollback", json={"to_version": "1"})

    assert "hash" in _refused(home, "rollback")["detail"]
    assert wait_for(lambda: _live(home) == second, 30)
    history = home.client.get(f"{PATH}/models/history")["events"]
    assert [event["version"] for event in history[-2:]] == ["1", second]


def test_a_second_stack_on_the_same_port_says_who_is_in_the_way(home: Home, tmp_path: Path) -> None:
    port = home.url.rsplit(":", 1)[1]

    done = run_cli("up", "--port", port, data=tmp_path)

    assert done.returncode == 1
    assert f"gateway cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


def test_a_second_stack_on_the_same_folder_is_refused(home: Home) -> None:
    done = run_cli("up", "--port", "0", data=home.data)

    assert done.returncode == 1
    assert f"a stack already runs on {home.data}" in done.stderr.replace("\n", " ")
    assert f"process {os.getpid()}" in done.stderr.replace("\n", " ")


def test_a_taken_port_of_another_server_is_named_with_its_setting(home: Home, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "homeostat", "up", "--port", "0", "--data", str(tmp_path)],
            env={**os.environ, "MLFLOW_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert done.returncode == 1
    assert f"mlflow cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "MLFLOW_PORT" in done.stderr


def test_a_disk_without_space_for_kafka_stops_the_start_and_says_how_much_is_needed(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "homeostat", "up", "--port", "0", "--data", str(tmp_path)]
    environ = {name: value for name, value in os.environ.items() if name != "KAFKA_BOOTSTRAP_SERVERS"}

    done = _on_a_small_disk(tmp_path, words, environ)

    assert done.returncode == 1
    assert f"{tmp_path / 'kafka'} has" in done.stderr.replace("\n", " ")
    assert "MiB free and Kafka needs 256 MiB" in done.stderr.replace("\n", " ")


def _on_a_small_disk(folder: Path, words: list[str], environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """The command with 64 MiB mounted at `folder` for it alone: in a mount namespace, as root or as anybody."""
    unshare = shutil.which("unshare")
    assert unshare, "unshare comes with util-linux"
    script = 'mount -t tmpfs -o size=64m none "$0" && exec "$@"'
    flags = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    return subprocess.run(
        [unshare, *flags, "sh", "-c", script, str(folder), *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
