"""The MLflow that the stack brings: people see versions in it, and the stack does without it."""

from __future__ import annotations

import httpx
import pytest

from homeostat.local.waiting import wait_for
from tests.support.stack import Home

pytestmark = [pytest.mark.e2e, pytest.mark.kafka, pytest.mark.xdist_group("home"), pytest.mark.timeout(300)]


def test_mlflow_serves_tracking_and_artefacts_from_its_own_folder(home: Home) -> None:
    folder = home.data / "mlflow"
    assert wait_for(lambda: home.stack.status["mlflow"].phase == "ready", 90, every=0.2), home.stack.status["mlflow"]

    with httpx.Client(base_url=f"{home.stack.urls['mlflow']}/api/2.0", timeout=60) as web:
        created = web.post("/mlflow/experiments/create", json={"name": "elec2"}).raise_for_status().json()
        found = web.get("/mlflow/experiments/get", params=created).raise_for_status().json()["experiment"]
        web.put("/mlflow-artifacts/artifacts/card.md", content=b"# A model").raise_for_status()

    assert found["artifact_location"].startswith("mlflow-artifacts:/")
    assert (folder / "mlflow.db").exists()
    assert (folder / "artifacts" / "card.md").read_bytes() == b"# A model"
