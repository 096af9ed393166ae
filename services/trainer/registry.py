"""MLflow as a mirror of what was released: the one module that imports it.

The log of `model-published` is the truth; this is for people and tools that look into MLflow. A
version is recognised by its tag ``homeostat_version``, so writing it twice leaves one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

import msgspec

from services.trainer.core.card import markdown_of
from services.trainer.core.orders import Registration
from shared.errors import Transient
from shared.models.store import ArtifactStore
from shared.runtime.arrival import listens

TAG = "homeostat_version"
ALIASES = ("champion", "challenger", "previous")


def registered(order: Registration, tracking_uri: str, store: ArtifactStore, data_dir: Path) -> dict[str, Any]:
    """Writes run, version and aliases; returns {run, mlflow_version}. `Transient` while MLflow does not answer.

    An alias whose version MLflow does not know is left out: its own registration will set it. Where
    no server keeps MLflow's files (a database as tracking URI), they are kept under `data_dir`.
    """
    served = tracking_uri.startswith(("http://", "https://"))
    # It starts after us, and is not behind a proxy then: no need to load its client to be told so.
    if served and not getproxies() and not listens(_address_of(tracking_uri)):
        raise Transient(f"MLflow at {tracking_uri} is not up: it is told of {order.pipeline} {order.version} later")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    files = None if served else (data_dir / "mlflow-files").resolve().as_uri()
    client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
    try:
        known = _versions(client, order.pipeline)
        if order.version not in known:
            known[order.version] = _written(client, order, store, files)
        _set_aliases(client, order.pipeline, order.aliases, known)
    except (MlflowException, OSError) as error:
        raise Transient(f"MLflow at {tracking_uri} did not take version {order.version}: {error}") from error
    return {"mlflow_version": known[order.version]}


def _address_of(uri: str) -> str:
    """Host and port of an HTTP address.

    >>> _address_of("http://user:secret@mlflow:5000/x"), _address_of("https://[::1]")
    ('mlflow:5000', '::1:443')
    """
    parts = urlsplit(uri)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _versions(client: Any, pipeline: str) -> dict[str, str]:
    """Our version numbers to MLflow's; the registered model is made where it is missing."""
    if not list(client.search_registered_models(filter_string=f"name = '{pipeline}'")):
        client.create_registered_model(pipeline, description="Released by Homeostat; the log is the truth.")
    found = client.search_model_versions(f"name = '{pipeline}'")
    return {each.tags[TAG]: str(each.version) for each in found if TAG in each.tags}


def _written(client: Any, order: Registration, store: ArtifactStore, files: str | None) -> str:
    """A run with everything that made the version, and the version that points at it. A run that is not whole
    is marked as failed.
    """
    from mlflow.exceptions import MlflowException

    run = client.create_run(_experiment(client, order.pipeline, files), run_name=f"{order.pipeline}-{order.version}")
    try:
        return _told(client, order, store, run.info.run_id)
    except BaseException:
        with suppress(MlflowException):
            client.set_terminated(run.info.run_id, "FAILED")
        raise


def _told(client: Any, order: Registration, store: ArtifactStore, run_id: str) -> str:
    """Fills the run and makes the version of it."""
    candidate = order.candidate
    lineage = candidate.lineage
    for name, value in _parameters(order).items():
        client.log_param(run_id, name, value)
    for name, figure in candidate.metrics.items():
        client.log_metric(run_id, name, figure)
    tags = {
        TAG: order.version,
        "homeostat_data_hash": lineage.data_hash,
        "homeostat_specification": lineage.specification_digest,
        "homeostat_revision": lineage.code_revision,
        "homeostat_artifact_sha256": candidate.artifact.sha256,
        "homeostat_origin": candidate.origin,
    }
    for name, value in tags.items():
        client.set_tag(run_id, name, value)
    client.log_dict(run_id, order.specification, "specification.json")
    client.log_dict(run_id, msgspec.to_builtins(lineage), "lineage.json")
    if candidate.card:
        card = {**candidate.card, "version": order.version}
        client.log_dict(run_id, card, "model-card.json")
        client.log_text(run_id, markdown_of(card), "model-card.md")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model.{candidate.artifact.format}.zip"
        path.write_bytes(store.get(candidate.artifact))
        client.log_artifact(run_id, str(path), "model")
    client.set_terminated(run_id)
    made = client.create_model_version(
        order.pipeline, source=f"{client.get_run(run_id).info.artifact_uri}/model", run_id=run_id, tags=tags
    )
    return str(made.version)


def _experiment(client: Any, pipeline: str, files: str | None) -> str:
    name = f"homeostat/{pipeline}"
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name, files) if found is None else found.experiment_id)


def _parameters(order: Registration) -> Mapping[str, str]:
    lineage = order.candidate.lineage
    return {
        "estimator": lineage.estimator,
        "rows": str(lineage.rows),
        "seed": str(lineage.seed),
        "specification_version": str(lineage.specification_version),
        **{f"parameter.{name}": str(value) for name, value in lineage.parameters.items()},
        **{f"library.{name}": value for name, value in lineage.libraries.items()},
    }


def _set_aliases(client: Any, pipeline: str, aliases: Mapping[str, str | None], known: Mapping[str, str]) -> None:
    for alias, version in _wanted(aliases):
        if version is None:
            client.delete_registered_model_alias(pipeline, alias)
        elif version in known:
            client.set_registered_model_alias(pipeline, alias, known[version])


def _wanted(aliases: Mapping[str, str | None]) -> Iterator[tuple[str, str | None]]:
    for alias in ALIASES:
        if alias in aliases:
            yield alias, aliases[alias]
