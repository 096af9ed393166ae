from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat.local.errors import PortInUse
from homeostat.local.guard import Guard
from homeostat.local.keys import SECRETS, hash_of
from homeostat.local.layout import Layout, settle
from homeostat.local.process import reserve_port
from homeostat.local.settings import stack_settings
from tests.local.programs import given_to
from tests.support.rules import ROOT


def _settled(data: Path, guard: Guard, **environ: str) -> Layout:
    return settle(stack_settings(data, 0, environ), "key", guard)


def test_every_part_is_there_in_the_order_of_the_start(tmp_path: Path, guard: Guard) -> None:
    layout = _settled(tmp_path, guard)

    names = [part.name for part in layout.parts]
    assert names[:2] == ["redis", "kafka"]
    assert set(names[2:-1]) == {"ingest", "trainer", "predictor", "monitor", "remediator", "gateway"}
    assert names[-1] == "mlflow"
    assert [part.name for part in layout.parts if not part.awaited] == ["mlflow"]


def test_a_server_whose_address_is_given_is_used_and_not_started(tmp_path: Path, guard: Guard) -> None:
    layout = _settled(
        tmp_path, guard, KAFKA_BOOTSTRAP_SERVERS="k:1", REDIS_URL="redis://r:2", MLFLOW_TRACKING_URI="m:3"
    )

    assert not {part.name for part in layout.parts} & {"kafka", "redis", "mlflow"}
    assert layout.notes == ("kafka is the one at k:1", "redis is the one at redis://r:2", "mlflow is the one at m:3")
    assert layout.environ["KAFKA_BOOTSTRAP_SERVERS"] == "k:1"
    assert all(part.needs == () for part in layout.parts)


def test_a_password_in_an_address_reaches_the_services_and_nobody_else(tmp_path: Path, guard: Guard) -> None:
    layout = _settled(tmp_path, guard, REDIS_URL="redis://:hush@r:2/0")

    assert layout.environ["REDIS_URL"] == "redis://:hush@r:2/0"
    assert "hush" not in str((layout.notes, layout.urls, layout.public_environ))


def test_services_are_given_the_keys_hash_and_others_are_told_no_secret(tmp_path: Path, guard: Guard) -> None:
    layout = _settled(tmp_path, guard, HOMEOSTAT_API_KEY_HASHES="ci:" + "0" * 64)

    assert layout.environ["HOMEOSTAT_API_KEY_HASHES"] == f"local:{hash_of('key')},ci:{'0' * 64}"
    assert len(layout.environ["HOMEOSTAT_SIGNING_KEY"]) > 30
    assert not {"HOMEOSTAT_SIGNING_KEY", "HOMEOSTAT_API_KEY_HASHES"} & set(layout.public_environ)


@pytest.mark.parametrize("service", ["ingest", "trainer", "predictor", "gateway"])
def test_a_service_starts_with_its_own_secrets_alone(service: str, tmp_path: Path, guard: Guard) -> None:
    part = _settled(tmp_path, guard, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1").service(service, 0)

    part.launch()
    given = given_to(part)
    part.child.kill()

    assert set(SECRETS) & set(given) == {secret for secret, services in SECRETS.items() if service in services}
    assert given["KAFKA_BOOTSTRAP_SERVERS"] == "127.0.0.1:1"


_GIVEN = """
import sys
from pathlib import Path
from homeostat.local.guard import Guard
from homeostat.local.mlflow import mlflow_part
from homeostat.local.process import free_port
from tests.local.programs import given_to
folder, guard = Path(sys.argv[1]), Guard()
part = mlflow_part(folder / "mlflow", folder / "mlflow.log", free_port(), guard)
part.launch()
print(*given_to(part))
part.child.kill()
guard.close()
"""


def test_a_server_is_given_no_secret_of_a_service(tmp_path: Path) -> None:
    environ = {**os.environ, "HOMEOSTAT_SIGNING_KEY": "hush", "SOMETHING_ELSE": "1"}

    shown = subprocess.run(
        [sys.executable, "-c", _GIVEN, str(tmp_path)], cwd=ROOT, env=environ, capture_output=True, text=True, check=True
    )

    assert "SOMETHING_ELSE" in shown.stdout.split()
    assert "HOMEOSTAT_SIGNING_KEY" not in shown.stdout.split()


def test_all_ports_that_are_taken_are_told_at_once_with_some_that_would_do(tmp_path: Path, guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        ports = [each.getsockname()[1] for each in (one, two)]
        settings = replace(stack_settings(tmp_path, 0, {"REDIS_PORT": str(ports[1])}), port=ports[0])
        with pytest.raises(PortInUse) as refused:
            settle(replace(settings, predictor_port=ports[1]), "key", guard)

    said = str(refused.value)
    assert [each.part for each in refused.value.taken] == ["gateway", "predictor", "redis"]
    assert all(setting in said for setting in ("--port or HOMEOSTAT_PORT", "HOMEOSTAT_PREDICTOR_PORT", "REDIS_PORT"))
    offered = re.search(r"for instance --port (\d+): the predictor takes the next, (\d+)", said)
    assert offered
    instead = stack_settings(tmp_path, int(offered[1]), {"KAFKA_BOOTSTRAP_SERVERS": "k:1"})
    assert instead.predictor_port == int(offered[2])
    assert settle(instead, "key", guard).urls["gateway"].endswith(f":{offered[1]}")


def test_where_the_predictors_port_is_named_another_is_named_too(tmp_path: Path, guard: Guard) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with pytest.raises(PortInUse, match=r"for instance HOMEOSTAT_PREDICTOR_PORT=\d+ with --port \d+"):
            _settled(tmp_path, guard, HOMEOSTAT_PREDICTOR_PORT=port)


def test_one_more_instance_has_its_own_slot(tmp_path: Path, guard: Guard) -> None:
    part = _settled(tmp_path, guard).service("ingest", 2)

    assert (part.name, part.service, part.instance) == ("ingest-2", "ingest", "2")


def test_a_port_that_another_stack_keeps_is_left_to_it(tmp_path: Path, guard: Guard) -> None:
    settings = replace(stack_settings(tmp_path, 0, {}), kafka_port=None)
    kept = reserve_port(9092)  # None where a stack of somebody else keeps it already: the same to this one

    address = settle(settings, "key", guard).urls["kafka"]

    assert not address.endswith(":9092")
    if kept:
        kept.close()


def test_kafka_listens_where_it_listened_last_if_nobody_else_does(tmp_path: Path, guard: Guard) -> None:
    first = _settled(tmp_path, guard)
    port = int(first.urls["kafka"].rpartition(":")[2])
    (tmp_path / "kafka").mkdir()
    (tmp_path / "kafka" / "server.properties").write_text(f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n")
    first.release()

    again = _settled(tmp_path, guard)
    meanwhile = _settled(tmp_path, guard)

    assert again.urls["kafka"] == f"127.0.0.1:{port}"
    assert meanwhile.urls["kafka"] != again.urls["kafka"]
    again.release()
