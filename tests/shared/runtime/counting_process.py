"""The counting services as processes, for the tests on a real broker: `python -m … predictor|trainer`."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from shared.runtime import JobContext, run_service
from shared.settings import common_settings
from tests.shared.runtime.counting import JOBS, Counter, Worker


def slow_double(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    time.sleep(float(arguments["seconds"]))
    return {"answer": 2 * arguments["number"]}


def main() -> int:
    settings = common_settings(os.environ)
    if sys.argv[1] == "predictor":
        return run_service("predictor", Counter, settings)
    return run_service("trainer", Worker, settings, {**JOBS, "slow_double": slow_double})


if __name__ == "__main__":
    sys.exit(main())
