"""Runs the gateway: `python -m services.gateway`."""

from __future__ import annotations

import os
import sys
import threading

from services.gateway.app import create_app
from services.gateway.exposure import exposed
from services.gateway.parts import make_parts
from services.gateway.server import serve
from services.gateway.settings import gateway_settings
from shared.bus.factory import connect
from shared.runtime import entry
from shared.runtime.arrival import wait_for_listener
from shared.runtime.garbage import collect_seldom
from shared.runtime.installation import topic_specs
from shared.settings import common_settings
from shared.telemetry.logging import configure_logging

TOPICS_SECONDS = 60.0


@entry("gateway")
def main() -> int:
    common, settings = common_settings(os.environ), gateway_settings(os.environ)
    configure_logging("gateway", common.log_level)
    bus = connect(common)
    wait_for_listener(common.bootstrap_servers, TOPICS_SECONDS, threading.Event())
    bus.ensure_topics(topic_specs(common), TOPICS_SECONDS)
    parts = make_parts(settings, bus, common.full_name, common.data_dir, instance=common.instance)
    app = create_app(parts)
    collect_seldom()
    with exposed(parts, common.health_host, common.health_port):
        serve(app, settings)
    return 0


if __name__ == "__main__":
    sys.exit(main())
