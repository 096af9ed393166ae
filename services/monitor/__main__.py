"""Runs the monitor until it is told to stop."""

from __future__ import annotations

import os
import sys

from services.monitor.service import Monitor
from services.monitor.settings import monitor_settings
from shared.runtime import entry, run_service
from shared.settings import common_settings


@entry("monitor")
def main() -> int:
    own = monitor_settings(os.environ)
    return run_service("monitor", make=lambda _: Monitor(own), settings=common_settings(os.environ))


if __name__ == "__main__":
    sys.exit(main())
