"""Each service starts with its own packages alone: what its image holds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared.topics import SERVICES
from tests.support.rules import ROOT
from tools.trial import TrialFailed, try_service


def _make_env(service: str, folder: Path) -> Path:
    """The environment that the Dockerfile makes too, but for what spans need."""
    command = ["make", "env", f"SERVICE={service}", f"ENV={folder}", f"PYTHON={sys.executable}"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return folder / "bin" / "python"


@pytest.mark.kafka
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_and_ends_with_its_own_packages_alone(
    service: str, kafka_bootstrap: str, topic_prefix: str, tmp_path: Path
) -> None:
    python = _make_env(service, tmp_path / "env")

    try_service(service, python, kafka_bootstrap, tmp_path, topic_prefix)


@pytest.mark.kafka
def test_a_service_that_lacks_a_package_is_found(kafka_bootstrap: str, topic_prefix: str, tmp_path: Path) -> None:
    python = _make_env("remediator", tmp_path / "env")

    with pytest.raises(TrialFailed, match="No module named 'numpy'"):
        try_service("monitor", python, kafka_bootstrap, tmp_path, topic_prefix)
