"""Keys for docker compose: writes .env where there is none, and prints the API key once."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

FILE = Path(".env")


def write_env(file: Path) -> str | None:
    """The API key that was made, or None where `file` was there already. Only its hash is kept."""
    if file.exists():
        return None
    key = "hs_" + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    lines = f"HOMEOSTAT_API_KEY_HASHES=local:{digest}\nHOMEOSTAT_SIGNING_KEY={secrets.token_urlsafe(32)}\n"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(lines)
    return key


if __name__ == "__main__":
    if key := write_env(FILE):
        sys.stdout.write(f"==> API key, shown this once: {key}\n")
