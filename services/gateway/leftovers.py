"""Snapshots of clusters that are no more: a stack that is made anew leaves 20 MB behind each time."""

from __future__ import annotations

import re
from pathlib import Path

import structlog

log = structlog.get_logger("gateway.leftovers")

CLUSTER_ID = re.compile(r"[A-Za-z0-9_-]{22}")
"""What Kafka calls a cluster where nobody named it: a UUID in base64."""


def remove_leftovers(directory: Path, cluster: str, own: str) -> None:
    """Removes what other clusters than `cluster` have left of this installation (same prefix of topics).

    `own` is the name of the file in use. Files of other prefixes, and of clusters that somebody named, stay: they are
    not told apart with certainty. Nothing is lost but time: a snapshot can be made anew from the log it is of.
    """
    rest = own.removeprefix(cluster)
    if not CLUSTER_ID.fullmatch(cluster):
        return
    for path in sorted(directory.glob("*.snapshot")):
        other = path.name.removesuffix(rest)
        if other not in (cluster, path.name) and CLUSTER_ID.fullmatch(other):
            _remove(path)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        log.warning("the snapshot of another cluster stays", file=path.name, why=str(error))
    else:
        log.info("removed the snapshot of another cluster", file=path.name)
