"""The peers' environments: what each is measured with, pinned, and apart from the product's own packages."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from shared.errors import HomeostatError, Misconfigured

CHECKOUT = Path(__file__).parents[1]
PEERS = CHECKOUT / "benchmarks" / "peers"
GROUPS = ("streaming", "monitoring", "mlserver", "bentoml")


def python_of(group: str) -> Path:
    """The interpreter of this group's environment, installed first where it is not as its lock file says.

    `Misconfigured` where there is no installer, `HomeostatError` where it fails.
    """
    lock, folder = PEERS / f"{group}.lock", CHECKOUT / f".venv-peers-{group}"
    python, stamp = folder / "bin" / "python", folder / f".installed-{digest_of(lock)}"
    if not stamp.is_file():
        print(
            f"==> {folder.name}: the peers' packages, as {lock.relative_to(CHECKOUT)} has them (once)", file=sys.stderr
        )
        uv = _installer()
        _run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(folder))
        _run(uv, "pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(lock))
        for old in folder.glob(".installed-*"):
            old.unlink()
        stamp.touch()
    return python


def digest_of(lock: Path) -> str:
    """What tells one state of a lock file from another."""
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:16]


def _installer() -> str:
    own = CHECKOUT / ".tools" / "bin" / "uv"
    found = str(own) if own.is_file() else shutil.which("uv")
    if found is None:
        raise Misconfigured(f"no uv in {own.parent} nor on the path to install the peers with: run `make setup`")
    return found


def _run(*command: str) -> None:
    if subprocess.run(command, cwd=CHECKOUT, check=False).returncode != 0:
        raise HomeostatError(f"`{' '.join(command)}` did not end well: see above")
