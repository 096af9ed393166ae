from __future__ import annotations

from collections.abc import Iterator

import pytest

from homeostat.local.guard import Guard


@pytest.fixture
def guard() -> Iterator[Guard]:
    """What a test starts ends with it."""
    guard = Guard()
    yield guard
    guard.close()
