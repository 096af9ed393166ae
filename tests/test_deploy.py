"""What stands in docker-compose.yml, the Dockerfile, the workflows and the dashboards is true of the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from homeostat.local.jars import KAFKA_VERSION
from homeostat.local.kafka import SINGLE_NODE
from homeostat.local.keys import SECRETS
from services.gateway.exposure import exposed
from shared.telemetry.metrics import METRICS
from shared.topics import SERVICES
from tests.services.gateway.running import running
from tests.support.rules import ROOT, sources
from tools.compose_env import write_env

COMPOSE = ROOT / "docker-compose.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HOLD_DIFFERENTLY = {"listener.security.protocol.map"}  # in containers there is a listener for the outside too


def _yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def _check(schema: str, file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def compose() -> Any:
    return _yaml(COMPOSE)


def test_the_compose_file_fits_the_compose_schema() -> None:
    result = _check("vendor.compose-spec", COMPOSE)

    assert result.returncode == 0, result.stdout


def test_a_compose_file_with_a_mistake_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "health_check:", 1))

    assert _check("vendor.compose-spec", wrong).returncode == 1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_fits_the_workflow_schema_and_calls_known_recipes(workflow: Path) -> None:
    result = _check("vendor.github-workflows", workflow)
    recipes = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert result.returncode == 0, result.stdout
    assert set(re.findall(r"run: make ([a-z]+)", workflow.read_text())) <= recipes


def test_every_service_is_built_from_the_one_dockerfile_with_its_own_packages(compose: Any) -> None:
    for service in SERVICES:
        build = compose["services"][service]["build"]
        assert build["dockerfile"] == "deploy/Dockerfile"
        assert build["args"]["SERVICE"] == service


def test_the_servers_are_those_the_project_is_tested_with(compose: Any) -> None:
    images = {name: service["image"] for name, service in compose["services"].items() if "image" in service}
    locked = re.search(r"^mlflow==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    assert images["kafka"] == f"apache/kafka:{KAFKA_VERSION}"
    assert locked
    assert images["mlflow"] == f"ghcr.io/mlflow/mlflow:v{locked[1]}"
    assert set(images) == {"kafka", "redis", "mlflow", "prometheus", "grafana"}
    assert not any(image.endswith(":latest") or ":" not in image for image in images.values())


def test_kafka_in_a_container_is_set_like_the_embedded_one(compose: Any) -> None:
    environment = compose["services"]["kafka"]["environment"]
    wanted = {name: value for name, value in SINGLE_NODE.items() if name not in HOLD_DIFFERENTLY}

    assert {name: environment.get("KAFKA_" + name.replace(".", "_").upper()) for name in wanted} == wanted


def test_containers_are_given_only_settings_that_the_code_reads(compose: Any) -> None:
    code = "\n".join(path.read_text() for path in sources())
    given = {name for service in SERVICES for name in compose["services"][service]["environment"]}
    given |= set(re.findall(r"(HOMEOSTAT_\w+)=", (ROOT / "deploy" / "Dockerfile").read_text()))

    assert {name for name in given if f'"{name}"' not in code} == set()


@pytest.mark.parametrize("secret", SECRETS)
def test_containers_are_given_their_own_secrets_alone(compose: Any, secret: str) -> None:
    assert {service for service in SERVICES if secret in compose["services"][service]["environment"]} == SECRETS[secret]


def test_nothing_listens_beyond_this_machine(compose: Any) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_an_image_runs_as_nobody_in_particular_and_tells_its_health() -> None:
    stages = (ROOT / "deploy" / "Dockerfile").read_text().split("FROM ")[1:]

    assert re.search(r"^USER \d{4,}$", stages[-1], re.MULTILINE)
    assert "HEALTHCHECK" in stages[-1]
    assert "--constraints requirements.lock" in stages[0]


def test_prometheus_asks_every_service_on_the_health_port_that_containers_are_given() -> None:
    (job,) = _yaml(ROOT / "deploy" / "prometheus.yml")["scrape_configs"]
    given = re.search(r"HOMEOSTAT_HEALTH_PORT=(\d+)", (ROOT / "deploy" / "Dockerfile").read_text())

    assert given
    assert set(job["static_configs"][0]["targets"]) == {f"{service}:{given[1]}" for service in SERVICES}


def test_what_prometheus_asks_of_the_gateway_is_answered_as_it_asks(tmp_path: Path) -> None:
    with running(tmp_path) as gateway, exposed(gateway.parts, "127.0.0.1", 0) as port:
        scraped = httpx.get(f"http://127.0.0.1:{port}/metrics")
        elsewhere = httpx.get(f"{gateway.url}/metrics")

    assert scraped.status_code == 200
    assert "homeostat_memory_bytes" in scraped.text
    assert elsewhere.status_code == 401


def test_the_dashboard_shows_metrics_and_labels_that_exist() -> None:
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "homeostat.json").read_text())
    known = {metric.name: set(metric.labels) for metric in METRICS}
    targets = [target for panel in dashboard["panels"] for target in panel["targets"]]

    for target in targets:
        names = {name.removesuffix("_bucket") for name in re.findall(r"homeostat_\w+", target["expr"])}
        assert names
        assert names <= set(known)
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= set().union(*(known[name] for name in names))


def test_the_keys_for_compose_are_made_once_and_the_api_key_is_not_kept(tmp_path: Path) -> None:
    file = tmp_path / ".env"

    key = write_env(file)

    assert key
    assert key not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert write_env(file) is None
