"""The stack's own secrets: made at the first start, readable by their owner alone."""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

API_KEY = "api-key"
SIGNING_KEY = "signing-key"


def kept_secret(file: Path, prefix: str = "") -> tuple[str, bool]:
    """The secret in `file`, and whether it was made just now."""
    if file.exists():
        return file.read_text().strip(), False
    secret = prefix + secrets.token_urlsafe(32)
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(secret + "\n")
    return secret, True


def hash_of(key: str) -> str:
    """What the gateway is told of an API key: its SHA-256, hex."""
    return hashlib.sha256(key.encode()).hexdigest()
