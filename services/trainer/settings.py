"""The trainer's knobs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from shared.errors import Misconfigured
from shared.settings import CommonSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSettings:
    """What the service needs to know beyond messages.

    `registry`: whether there is an MLflow to write to. `train_timeout` and `register_timeout` end a
    job that hangs. After a failed registration the next one waits `register_pause`, doubled each time
    up to `register_pause_longest`. A first model that could not be made is tried again once there are
    `first_retry_growth` times the rows, or `first_retry_pause` after a job that broke.
    """

    code_revision: str = "unknown"
    registry: bool = False
    train_timeout: timedelta = timedelta(minutes=15)
    register_timeout: timedelta = timedelta(minutes=1)
    register_pause: timedelta = timedelta(seconds=5)
    register_pause_longest: timedelta = timedelta(minutes=5)
    first_retry_growth: float = 1.25
    first_retry_pause: timedelta = timedelta(seconds=15)


def trainer_settings(environ: Mapping[str, str], common: CommonSettings) -> TrainerSettings:
    """The settings in `environ`; without a signing key nothing the trainer makes would ever be loaded."""
    if not common.signing_key:
        raise Misconfigured(
            "HOMEOSTAT_SIGNING_KEY is not set: the trainer signs models with it, and predictors load no others; "
            "set the same secret for both"
        )
    return TrainerSettings(
        code_revision=environ.get("HOMEOSTAT_REVISION") or _git_revision(Path(__file__).parent),
        registry=common.mlflow_tracking_uri is not None,
    )


def _git_revision(folder: Path) -> str:
    """The commit checked out around `folder`, ``-dirty`` where files were changed since; ``unknown`` without git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603 - fixed words
    return found.stdout.strip() or "unknown"
