from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import pytest

from tests.faults.scene import SECONDS, Scene
from tests.support.stack import running_home


def _scope(fixture_name: str, config: pytest.Config) -> Literal["module", "session"]:
    """A long run has a system for each kind of fault: what stands on its topics is read again and again."""
    return "module" if SECONDS else "session"


@pytest.fixture(scope=_scope)
def shared_scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with running_home(tmp_path_factory.mktemp("scene")) as home:
        yield Scene.of(home)


@pytest.fixture
def scene(shared_scene: Scene, record_property: Callable[[str, object], None]) -> Scene:
    """One system for all faults that it survives; what took how long stands in the report."""
    shared_scene.told = lambda line: record_property("recovery", line)
    return shared_scene


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [each for state in ("passed", "failed") for each in terminalreporter.stats.get(state, [])]
    lines = [f"{name}: {value}" for each in reports for name, value in each.user_properties if name == "recovery"]
    if lines:
        terminalreporter.section("after which fault there was an answer again")
        for line in lines:
            terminalreporter.write_line(line)
