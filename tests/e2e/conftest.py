from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import Home, running_home


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The whole system, once for all end-to-end tests: they run in one worker, each with pipelines of its own."""
    with running_home(tmp_path_factory.mktemp("home")) as started:
        yield started
