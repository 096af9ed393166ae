"""The stack's own secrets: made at the first start, readable by their owner alone; and who is given them."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

API_KEY = "api-key"
SIGNING_KEY = "signing-key"

SECRETS = {"HOMEOSTAT_SIGNING_KEY": {"trainer", "predictor"}, "HOMEOSTAT_API_KEY_HASHES": {"gateway"}}
"""Which services are given a secret: who signs or loads models, and who checks keys."""


def kept_secret(file: Path, prefix: str = "") -> tuple[str, bool]:
    """The secret in `file`, and whether it was made just now."""
    if file.exists():
        return file.read_text().strip(), False
    secret = prefix + secrets.token_urlsafe(32)
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(secret + "\n")
    return secret, True


def environ_of(service: str, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` with the secrets of this service, or server, alone.

    >>> environ_of("ingest", {"HOMEOSTAT_SIGNING_KEY": "hush", "HOMEOSTAT_PORT": "8080"})
    {'HOMEOSTAT_PORT': '8080'}
    """
    return {name: value for name, value in environ.items() if service in SECRETS.get(name, {service})}


def hash_of(key: str) -> str:
    """What the gateway is told of an API key: its SHA-256, hex."""
    return hashlib.sha256(key.encode()).hexdigest()
