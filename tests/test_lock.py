"""requirements.lock is what pyproject.toml asks for, whole, hashed, and bound to no index."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.support.rules import ROOT, canonical

LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = {
    canonical(name): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", LOCK, re.MULTILINE)
}
WANTED = [*PROJECT["dependencies"], *(each for extra in PROJECT["optional-dependencies"].values() for each in extra)]


@pytest.mark.parametrize("wanted", sorted({each for each in WANTED if not each.startswith("homeostat")}))
def test_a_requirement_is_met_by_the_lock(wanted: str) -> None:
    requirement = Requirement(wanted)

    assert PINNED[canonical(requirement.name)] in requirement.specifier, "run `make lock`"


def test_every_package_of_the_lock_has_its_hashes() -> None:
    blocks = re.split(r"\n(?=\S)", LOCK)

    assert [block.splitlines()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block] == []
    assert len(PINNED) > 100


def test_the_lock_names_no_address() -> None:
    assert "://" not in LOCK
