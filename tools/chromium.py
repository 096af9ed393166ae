"""A Chromium for the browser tests: finds one, or brings one.

`python tools/chromium.py` prints the path of the one there is; `--install` brings one first where
there is none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
INSTALL_SECONDS = 600


class NoChromium(RuntimeError):
    """There is none, and none can be brought."""

    def __init__(self, tried: list[str]) -> None:
        attempts = "".join(f"\n  {line}" for line in tried)
        super().__init__(
            "the browser tests need Chromium: install it (Debian: apt-get install chromium), or set CHROMIUM to the "
            f"path of a Chromium or Chrome{attempts}"
        )


def find(environ: Mapping[str, str] = os.environ) -> str | None:
    """The path of a Chromium: CHROMIUM, one on the PATH, or Playwright's own."""
    if given := environ.get("CHROMIUM"):
        return given
    for name in NAMES:
        if path := shutil.which(name, path=environ.get("PATH")):
            return path
    own = _playwrights_own()
    return str(own) if own and own.exists() else None


def bring() -> str:
    """The path of a Chromium, installed now where there was none; `NoChromium` says what was tried.

    As root on Debian the distribution's own is taken: it comes with the libraries it needs.
    """
    if path := find():
        return path
    tried = []
    for command in _ways():
        print(f"==> Chromium for the browser tests: {' '.join(command)}", file=sys.stderr)  # noqa: T201
        try:
            subprocess.run(command, check=True, stdout=sys.stderr, timeout=INSTALL_SECONDS)  # noqa: S603
        except (subprocess.SubprocessError, OSError) as error:
            tried.append(f"tried: {error}")
        if path := find():
            return path
    raise NoChromium(tried)


def _ways() -> list[list[str]]:
    playwright = [sys.executable, "-m", "playwright", "install", "chromium"]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return [playwright]
    apt = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium"
    return [["sh", "-c", apt], playwright]


def _playwrights_own() -> Path | None:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    with sync_playwright() as playwright:
        return Path(playwright.chromium.executable_path)


if __name__ == "__main__":
    try:
        path = bring() if "--install" in sys.argv[1:] else find()
    except NoChromium as error:
        sys.exit(str(error))
    print(path or "")  # noqa: T201
