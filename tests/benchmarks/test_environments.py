"""The peers' lock files are what their dependency groups ask for, hashed, and bound to no index."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from benchmarks.environments import GROUPS, PEERS
from tests.support.rules import ROOT, canonical

ASKED = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
LOCKS = {group: (PEERS / f"{group}.lock").read_text() for group in GROUPS}


def pinned_in(lock: str) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", lock, re.MULTILINE)
    return {canonical(name): version for name, version in found}


def test_every_group_of_peers_has_its_lock_file() -> None:
    assert set(ASKED) == {f"peers-{group}" for group in GROUPS}
    assert {path.stem for path in PEERS.glob("*.lock")} == set(GROUPS)


@pytest.mark.parametrize(("group", "wanted"), [(g, each) for g in GROUPS for each in sorted(ASKED[f"peers-{g}"])])
def test_a_peer_is_locked_as_it_is_asked_for(group: str, wanted: str) -> None:
    requirement = Requirement(wanted)

    assert pinned_in(LOCKS[group])[canonical(requirement.name)] in requirement.specifier, "run `make lock`"


@pytest.mark.parametrize("group", GROUPS)
def test_every_package_of_a_group_has_its_hashes_and_no_address(group: str) -> None:
    blocks = re.split(r"\n(?=\S)", LOCKS[group])

    assert [block.splitlines()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []
    assert "://" not in LOCKS[group]
