"""Runs the gateway: `python -m services.gateway`."""

from __future__ import annotations

import os
import sys

from services.gateway.app import create_app
from services.gateway.parts import make_parts
from services.gateway.server import serve
from services.gateway.settings import gateway_settings
from shared.bus.factory import connect
from shared.errors import HomeostatError
from shared.runtime.installation import topic_specs
from shared.settings import common_settings

TOPICS_SECONDS = 60.0


def main() -> int:
    try:
        common, settings = common_settings(os.environ), gateway_settings(os.environ)
        bus = connect(common)
        bus.ensure_topics(topic_specs(common), TOPICS_SECONDS)
        parts = make_parts(settings, bus, common.full_name, common.data_dir, instance=common.instance)
        serve(create_app(parts), settings)
    except HomeostatError as error:
        sys.stderr.write(f"gateway: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
