from __future__ import annotations

from pathlib import Path

import httpx
import redis

from homeostat.local.guard import Guard
from homeostat.local.mlflow import mlflow_part
from homeostat.local.process import free_port
from homeostat.local.redis import redis_answers, redis_part
from homeostat.local.waiting import wait_for


def test_redis_serves_and_keeps_what_it_holds_over_a_stop(tmp_path: Path, guard: Guard) -> None:
    port = free_port()
    part = redis_part(tmp_path / "redis", tmp_path / "redis.log", port, guard)
    part.launch()
    assert wait_for(part.ready, 10)
    redis.Redis(port=port).set("key", "value")

    part.child.stop(part.stop_seconds)
    assert not redis_answers(port)
    part.launch()
    assert wait_for(part.ready, 10)

    assert redis.Redis(port=port).get("key") == b"value"


def test_mlflow_serves_tracking_and_artefacts_from_its_own_folder(tmp_path: Path, guard: Guard) -> None:
    port = free_port()
    part = mlflow_part(tmp_path / "mlflow", tmp_path / "mlflow.log", port, guard)
    part.launch()
    assert wait_for(part.ready, 90, every=0.2), part.child.log.read_text()

    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/2.0", timeout=60) as web:
        created = web.post("/mlflow/experiments/create", json={"name": "elec2"}).raise_for_status().json()
        found = web.get("/mlflow/experiments/get", params=created).raise_for_status().json()["experiment"]
        web.put("/mlflow-artifacts/artifacts/card.md", content=b"# A model").raise_for_status()

    assert found["artifact_location"].startswith("mlflow-artifacts:/")
    assert (tmp_path / "mlflow" / "mlflow.db").exists()
    assert (tmp_path / "mlflow" / "artifacts" / "card.md").read_bytes() == b"# A model"
