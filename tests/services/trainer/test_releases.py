"""What is live, and what a rollback goes back to."""

from __future__ import annotations

import msgspec
import pytest

from services.trainer.core.releases import (
    KEPT_VERSIONS,
    Candidate,
    Releases,
    promoted,
    pruned,
    rolled_back,
    with_version,
    without_card,
)
from shared.messages import Artifact
from tests.support.lineage import NO_LINEAGE


def candidate(name: str) -> Candidate:
    return Candidate(
        artifact=Artifact(uri=f"sha256:{name}", sha256=name, format="skops", size=1, signature="s"),
        features=("x",),
        definition="d",
        kind="binary",
        lineage=NO_LINEAGE,
    )


def after_champions(count: int) -> Releases:
    releases = Releases()
    for number in range(1, count + 1):
        releases, version = with_version(releases, candidate(f"a{number}"), gated=True)
        releases = promoted(releases, version.number)
    return releases


def rolled(releases: Releases, to_version: str | None = None) -> Releases:
    after = rolled_back(releases, "d", to_version)
    assert isinstance(after, Releases), after
    return after


def test_versions_count_from_one_and_the_newest_promoted_is_champion() -> None:
    releases = after_champions(3)

    assert releases.champion == "3"
    assert releases.previous == "2"
    assert list(releases.versions) == ["1", "2", "3"]


def test_a_rollback_goes_to_the_champion_before_and_withdraws_the_present_one() -> None:
    releases = rolled(after_champions(3))

    assert releases.champion == "2"
    assert releases.versions["3"].withdrawn


def test_a_rollback_after_a_rollback_goes_one_further_back_and_never_returns() -> None:
    releases = rolled(rolled(after_champions(3)))

    assert releases.champion == "1"
    assert rolled_back(releases, "d") == "no good version to go back to"


def test_a_model_trained_after_a_rollback_can_itself_be_rolled_back_to_the_good_one() -> None:
    releases = rolled(after_champions(2))
    releases, version = with_version(releases, candidate("new"), gated=True)
    releases = promoted(releases, version.number)

    assert version.number == "3"
    assert rolled(releases).champion == "1"


def test_a_named_version_is_rolled_back_to_and_those_above_it_leave_the_lineage() -> None:
    releases = rolled(after_champions(4), "2")

    assert releases.champion == "2"
    assert releases.good == ("1",)


@pytest.mark.parametrize(("target", "because"), [("9", "no version 9"), ("2", "champion already")])
def test_a_version_that_cannot_be_gone_back_to_is_named(target: str, because: str) -> None:
    reason = rolled_back(after_champions(2), "d", target)

    assert isinstance(reason, str)
    assert because in reason


def test_there_is_nothing_to_go_back_to_before_the_second_champion() -> None:
    assert rolled_back(after_champions(1), "d") == "no good version to go back to"


def test_the_same_artefact_brought_twice_keeps_its_number() -> None:
    releases, first = with_version(Releases(), candidate("a"), gated=True)

    again, second = with_version(releases, candidate("a"), gated=True)

    assert (second, again) == (first, releases)


def test_promoting_a_withdrawn_version_brings_it_back_into_the_lineage() -> None:
    releases = promoted(rolled(after_champions(2)), "2")

    assert releases.champion == "2"
    assert releases.good == ("1",)
    assert not releases.versions["2"].withdrawn


def test_a_version_of_other_features_is_not_gone_back_to() -> None:
    releases = after_champions(2)

    assert rolled_back(releases, "new features") == "no good version to go back to"
    named = rolled_back(releases, "new features", "1")
    assert isinstance(named, str)
    assert "another definition" in named


def test_the_oldest_versions_are_forgotten_and_their_numbers_never_given_again() -> None:
    releases = after_champions(2)
    for number in range(3, 2 * KEPT_VERSIONS):
        releases, _ = with_version(releases, candidate(f"a{number}"), gated=True)
        releases = pruned(releases, {"5"})

    assert len(releases.versions) == KEPT_VERSIONS + 3
    assert {"1", "2", "5"} < set(releases.versions)
    assert rolled(releases).champion == "1"
    assert releases.next_number == str(2 * KEPT_VERSIONS)


def test_a_card_that_is_kept_elsewhere_is_dropped_and_nothing_else() -> None:
    carded = msgspec.structs.replace(candidate("a1"), card={"about": "prices"})
    releases, version = with_version(Releases(), carded, gated=True)

    dropped = without_card(releases, version.number)

    assert dropped.versions["1"].candidate == candidate("a1")
    assert without_card(dropped, "1") is dropped
    assert without_card(dropped, "7") is dropped
