"""Runs the remediator: `python -m services.remediator`."""

from __future__ import annotations

import os
import sys

from services.remediator.service import Remediator
from services.remediator.settings import remediator_settings
from shared.runtime import entry, run_service
from shared.settings import common_settings


@entry("remediator")
def main() -> int:
    settings = remediator_settings(os.environ)
    return run_service("remediator", make=lambda _: Remediator(settings), settings=common_settings(os.environ), jobs={})


if __name__ == "__main__":
    sys.exit(main())
