"""Tests that share what is dear to make run in one worker: `make test` is short by it."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("together")
def test_a_group_is_seen_by_what_shares_tests_out(request: pytest.FixtureRequest) -> None:
    """pytest-xdist keeps a group together by the end of its tests' ids; where it cannot write it there is no group."""
    shared_out = bool(request.config.getoption("loadgroup", default=False))

    assert request.node.nodeid.endswith("@together") == shared_out
