"""The gateway's knobs. Read once, in `__main__`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import Misconfigured
from shared.settings import number, whole

_SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """`api_key_hashes` maps a key's name to its SHA-256, hex; the keys themselves are nowhere.

    `body_bytes` bounds one request, `event_bytes` one event or label in it, `rows` those of one
    predict. `in_flight_bytes` bounds all bodies being taken in at once: past it, 429.
    `predict_seconds` is how long a predict waits for its answer, `patience_seconds` how long before
    the log is searched for an earlier one. `streams` bounds open live streams,
    `stream_buffer` what one of them may lag before it is served from the log instead of memory.
    `webhook_allow` lists hosts, host:port, addresses or networks that webhooks may reach though they
    are not public. `delivery_seconds` is how long one event is tried for before it is given up,
    `delivery_pause_seconds` the first pause between two tries.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    api_key_hashes: Mapping[str, str]
    predictor_url: str = "http://127.0.0.1:8081"
    public_url: str = ""
    body_bytes: int = 16 * 1024 * 1024
    event_bytes: int = 900_000
    in_flight_bytes: int = 64 * 1024 * 1024
    rows: int = 10_000
    predict_seconds: float = 10.0
    patience_seconds: float = 2.0
    produce_seconds: float = 10.0
    streams: int = 100
    stream_buffer: int = 2000
    webhook_allow: tuple[str, ...] = ()
    delivery_seconds: float = 3600.0
    delivery_pause_seconds: float = 1.0
    recent_records: int = 5000
    session_hours: float = 24 * 30


def gateway_settings(environ: Mapping[str, str]) -> GatewaySettings:
    """The settings in `environ`; `Misconfigured` where the gateway would listen to strangers unguarded."""
    settings = GatewaySettings(
        host=environ.get("HOMEOSTAT_HOST", "127.0.0.1"),
        port=whole(environ, "HOMEOSTAT_PORT", 8080, most=65535),
        api_key_hashes=hashes_of(environ.get("HOMEOSTAT_API_KEY_HASHES", "")),
        predictor_url=environ.get("HOMEOSTAT_PREDICTOR_URL", "http://127.0.0.1:8081").rstrip("/"),
        public_url=environ.get("HOMEOSTAT_PUBLIC_URL", "").rstrip("/"),
        body_bytes=whole(environ, "HOMEOSTAT_MAX_BODY_BYTES", 16 * 1024 * 1024, least=1),
        event_bytes=whole(environ, "HOMEOSTAT_MAX_EVENT_BYTES", 900_000, least=1),
        predict_seconds=number(environ, "HOMEOSTAT_PREDICT_SECONDS", 10.0),
        webhook_allow=tuple(
            part.strip() for part in environ.get("HOMEOSTAT_WEBHOOK_ALLOW", "").split(",") if part.strip()
        ),
        delivery_seconds=number(environ, "HOMEOSTAT_DELIVERY_SECONDS", 3600.0),
    )
    if not settings.api_key_hashes and not is_loopback(settings.host):
        raise Misconfigured(
            f"HOMEOSTAT_HOST={settings.host} is not loopback and HOMEOSTAT_API_KEY_HASHES is empty: "
            "set at least one key's SHA-256, or listen on 127.0.0.1"
        )
    return settings


def hashes_of(text: str) -> dict[str, str]:
    """Keys by name from ``name:sha256,sha256,…``; a key without a name is called by its hash.

    >>> hashes_of("ci:" + "0" * 64) == {"ci": "0" * 64}
    True
    """
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, digest = part.rpartition(":")
        if not _SHA256.match(digest):
            raise Misconfigured(
                "HOMEOSTAT_API_KEY_HASHES takes SHA-256 in hex, as name:sha256,sha256; one of them is not"
            )
        found[name or f"key-{digest[:8]}"] = digest
    return found


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
