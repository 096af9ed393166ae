"""A wrong file is held against itself alone, and a person can lift what was withheld."""

from __future__ import annotations

import json
from pathlib import Path

from shared.topics import COMMANDS, RAW_DATA, REQUESTS
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.messages import command
from tests.services.gateway.running import Running


def test_each_file_is_a_source_of_its_own_unless_one_is_named(ask: Call, gateway: Running, tmp_path: Path) -> None:
    for name in ("may.ndjson", "june.ndjson"):
        (tmp_path / name).write_text(json.dumps({"id": name, "nswprice": 0.5, "vicprice": 1.5, "up": True}))
        ask("send", "elec2", str(tmp_path / name))
        ask("labels", "elec2", str(tmp_path / name))
    ask("send", "elec2", str(tmp_path / "may.ndjson"), "--source", "meter")

    sources = [record.source for record in gateway.written(RAW_DATA)[-5:]]
    assert sorted(sources) == ["file:june.ndjson"] * 2 + ["file:may.ndjson"] * 2 + ["meter"]


def test_a_quarantine_is_listed_and_lifted_by_its_source(ask: Call, gateway: Running) -> None:
    arguments = {"source": "file:may.csv", "fields": ["nswprice"]}
    gateway.put(COMMANDS, command(id="c1", action="quarantine_source", arguments=arguments, reason="times 1000"))

    listed, everywhere = ask("quarantine", "list", "elec2"), ask("quarantine", "list")
    vain = ask("quarantine", "release", "elec2", "another")
    lifted = ask("quarantine", "release", "elec2", "file:may.csv", "--field", "nswprice", "--reason", "mended")

    assert "file:may.csv" in listed.out
    assert "times 1000" in listed.out
    assert "file:may.csv" in everywhere.out
    assert (vain.status, lifted.status) == (1, 0)
    assert "not in quarantine" in vain.err
    request = gateway.written(REQUESTS)[-1]
    assert (request.action, request.arguments, request.reason) == ("release_source", arguments, "mended")


def test_what_is_withheld_can_be_taken_for_right_as_it_is(ask: Call, gateway: Running) -> None:
    arguments = {"source": "file:may.csv", "fields": ["nswprice"]}
    gateway.put(COMMANDS, command(id="c1", action="quarantine_source", arguments=arguments))

    ask("quarantine", "release", "elec2", "file:may.csv", "--accept")

    assert gateway.written(REQUESTS)[-1].arguments == {"source": "file:may.csv", "accept": True}
