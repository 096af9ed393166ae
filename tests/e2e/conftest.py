from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stack import Home, running_home


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """The whole system, once for all end-to-end tests: they run in one worker, each with pipelines of its own.

    It ends with the last of them: an idle system would slow the other tests.
    """
    with running_home(tmp_path_factory.mktemp("home"), MLFLOW_TRACKING_URI="") as started:
        yield started
