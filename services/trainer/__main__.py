"""Runs the trainer: ``python -m services.trainer``."""

from __future__ import annotations

import os
import sys

from services.trainer.jobs import JOBS, warm
from services.trainer.service import NAME, Trainer
from services.trainer.settings import trainer_settings
from shared.runtime import entry, run_service
from shared.settings import common_settings


@entry(NAME)
def main() -> int:
    common = common_settings(os.environ)
    settings = trainer_settings(os.environ, common)
    return run_service(NAME, make=lambda _: Trainer(settings), settings=common, jobs=JOBS, warm=warm)


if __name__ == "__main__":
    sys.exit(main())
