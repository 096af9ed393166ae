"""The predictor's knobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shared.settings import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictorSettings:
    """`host` and `port` of the inference endpoint, which knows no identity: keep it on loopback or a
    private network. `max_body_bytes` bounds one request. `models_kept` bounds the loaded models.
    """

    host: str = "127.0.0.1"
    port: int = 8081
    max_body_bytes: int = 10 * 1024 * 1024
    models_kept: int = 32


def predictor_settings(environ: Mapping[str, str]) -> PredictorSettings:
    """The settings in `environ`; `Misconfigured` names the variable that is wrong."""
    defaults = PredictorSettings()
    return PredictorSettings(
        host=environ.get("HOMEOSTAT_PREDICTOR_HOST") or defaults.host,
        port=whole(environ, "HOMEOSTAT_PREDICTOR_PORT", defaults.port, most=65535),
        max_body_bytes=whole(
            environ, "HOMEOSTAT_PREDICTOR_MAX_BODY_BYTES", defaults.max_body_bytes, least=1024, most=1 << 30
        ),
        models_kept=whole(environ, "HOMEOSTAT_PREDICTOR_MODELS_KEPT", defaults.models_kept, least=1, most=10_000),
    )
