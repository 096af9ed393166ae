"""The defaults and the settings are checked before anything runs on them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from services.remediator.core.policies import problems_in
from services.remediator.settings import DEFAULT_POLICIES_FILE, remediator_settings
from shared.errors import Misconfigured
from shared.pipeline.load_policies import load_policies

DOCS = Path(__file__).parents[3] / "docs"


def test_every_default_policy_can_be_carried_out_and_the_last_answers_anything() -> None:
    policies = load_policies(DEFAULT_POLICIES_FILE)
    assert [problem for policy in policies for problem in problems_in(policy)] == []
    assert policies[-1].when.kinds == ()
    assert policies[-1].when.causes == ()


def test_the_page_on_policies_shows_the_defaults_as_they_are() -> None:
    assert DEFAULT_POLICIES_FILE.read_text() in (DOCS / "policies.md").read_text()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("- name: x\n  when: {}\n  ladder: [{action: pray}]\n", r"mine.yaml:3:13: policies\[0\].*`pray` is no action"),
        ("- name: x\n  when: {}\n  ladder: []\n", "has no action"),
        ("- name: x\n  when: {kinds: [mood]}\n  ladder: [{action: hold}]\n", "`mood` is no kind of alert"),
        ("- name: x\n  wen: {}\n", "`wen`; did you mean `when`"),
        ("- {name: x, when: {every: 1d, kinds: [latency]}, ladder: [{action: retrain}]}", "with `every` there are"),
        ("{", "not YAML"),
    ],
)
def test_a_file_of_policies_with_a_fault_is_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=why) as refused:
        remediator_settings({"HOMEOSTAT_POLICIES": str(path)})
    assert str(path) in str(refused.value)


def test_limits_come_from_the_environment() -> None:
    settings = remediator_settings(
        {"HOMEOSTAT_APPROVAL_WITHIN": "30m", "HOMEOSTAT_DRY_RUN": "true", "HOMEOSTAT_MAX_REOPENS": "5"}
    )
    assert settings.limits.approval_within == timedelta(minutes=30)
    assert settings.limits.dry_run
    assert settings.limits.max_reopens == 5


@pytest.mark.parametrize("name", ["HOMEOSTAT_APPROVAL_WITHIN", "HOMEOSTAT_DRY_RUN", "HOMEOSTAT_MAX_REOPENS"])
def test_a_setting_that_makes_no_sense_is_named(name: str) -> None:
    with pytest.raises(Misconfigured, match=name):
        remediator_settings({name: "soon"})
