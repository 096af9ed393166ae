"""Runs ingest: `python -m services.ingest`."""

from __future__ import annotations

import os
import sys

from services.ingest.jobs import JOBS
from services.ingest.service import Ingest
from services.ingest.settings import ingest_settings
from shared.runtime import entry, run_service
from shared.settings import common_settings


@entry("ingest")
def main() -> int:
    settings = ingest_settings(os.environ)
    return run_service(
        "ingest",
        make=lambda task: Ingest(task.partition, settings),
        settings=common_settings(os.environ),
        jobs=JOBS,
        companions=(),
    )


if __name__ == "__main__":
    sys.exit(main())
