"""Runs the predictor: `python -m services.predictor`."""

from __future__ import annotations

import os
import sys

from services.predictor.board import Board
from services.predictor.inference_log import InferenceLog
from services.predictor.rest import Endpoint
from services.predictor.server import Server
from services.predictor.service import Predictor
from services.predictor.settings import predictor_settings
from shared.bus import connect
from shared.models.artifact import ModelCache
from shared.models.store import FileStore
from shared.runtime import entry, run_service
from shared.settings import common_settings
from shared.telemetry.metrics import Meters


@entry("predictor")
def main() -> int:
    common = common_settings(os.environ)
    settings = predictor_settings(os.environ)
    models = ModelCache(FileStore(common.data_dir / "artifacts"), common.signing_key, settings.models_kept)
    board, meters = Board(), Meters()
    log = InferenceLog(lambda: connect(common), common.full_name)
    endpoint = Endpoint(board, models, settings, log.take, meters)
    return run_service(
        "predictor",
        make=lambda task: Predictor(task.partition, models, board),
        settings=common,
        jobs={},
        companions=(log, Server(endpoint, settings)),
        meters=meters,
    )


if __name__ == "__main__":
    sys.exit(main())
