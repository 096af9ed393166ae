from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.predictor.core.releases import Live, after
from shared.messages import Artifact, Stage
from tests.support.models import constant_model, published

ARTIFACT = Artifact(uri="", sha256="0" * 64, format="skops", size=0, signature="")
_, METADATA = constant_model(1.0)


def live_after(*publications: tuple[str, Stage]) -> Live:
    live = Live()
    for version, stage in publications:
        live = after(live, published(version, ARTIFACT, METADATA, stage=stage))
    return live


def test_a_champion_replaces_the_one_before_and_leaves_the_others() -> None:
    live = live_after(("1", "champion"), ("2", "shadow"), ("3", "canary"), ("4", "champion"))

    assert list(live.versions) == ["4", "3", "2"]
    assert live.champion is not None
    assert live.champion.version == "4"


def test_a_promoted_version_leaves_its_earlier_role() -> None:
    live = live_after(("1", "champion"), ("2", "shadow"), ("2", "canary"), ("2", "champion"))

    assert live.canary is None
    assert live.shadows == ()
    assert list(live.versions) == ["2"]


def test_retired_withdraws_that_version_alone() -> None:
    assert list(live_after(("1", "champion"), ("2", "canary"), ("3", "shadow"), ("2", "retired")).versions) == [
        "1",
        "3",
    ]


def test_the_champion_is_not_made_its_own_canary() -> None:
    live = live_after(("1", "champion"), ("1", "canary"), ("1", "shadow"))

    assert live == live_after(("1", "champion"))


@given(
    st.lists(
        st.tuples(st.sampled_from("1234"), st.sampled_from(["shadow", "canary", "champion", "retired"])), max_size=20
    )
)
def test_a_version_has_one_role_and_a_champion_stays_until_replaced_or_retired(
    publications: list[tuple[str, Stage]],
) -> None:
    live = live_after(*publications)

    roles = [release.version for release in (live.champion, live.canary, *live.shadows) if release is not None]
    assert len(roles) == len(set(roles))
    last = next((version for version, stage in reversed(publications) if stage == "champion"), None)
    if last is not None and (last, "retired") not in publications:
        assert live.champion is not None
        assert live.champion.version == last
