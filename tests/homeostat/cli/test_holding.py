"""A person can stop a pipeline's learning, see that it is stopped, and let it go on."""

from __future__ import annotations

from shared.topics import COMMAND_RESULTS, COMMANDS, REQUESTS
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.messages import command, result
from tests.services.gateway.running import Running


def test_a_hold_and_its_end_are_asked_for_with_a_reason(ask: Call, gateway: Running) -> None:
    held = ask("hold", "elec2", "--reason", "labels are wrong")
    released = ask("release-hold", "elec2")

    assert (held.status, released.status) == (0, 0)
    first, second = gateway.written(REQUESTS)[-2:]
    assert (first.action, first.reason) == ("hold", "labels are wrong")
    assert second.action == "release_hold"


def test_status_says_that_learning_is_on_hold_and_how_it_ends(ask: Call, gateway: Running) -> None:
    before = ask("status")
    gateway.put(COMMANDS, command(id="h1", action="hold", reason="labels are wrong"))
    during, told = ask("status"), ask("status", "--json").json
    gateway.put(COMMANDS, command(id="h2", action="release_hold"))
    gateway.put(COMMAND_RESULTS, result("refused", command="h2"))
    refused = ask("status")
    gateway.put(COMMANDS, command(id="h3", action="release_hold"))
    after = ask("status")

    assert "on hold" not in before.out
    assert "elec2: learning is on hold since" in during.out
    assert "labels are wrong; homeostat release-hold elec2 ends it" in during.out
    assert [each["hold"]["why"] for each in told["pipelines"] if each["hold"]] == ["labels are wrong"]
    assert "on hold" in refused.out
    assert "on hold" not in after.out
