from __future__ import annotations

from pathlib import Path

import redis

from homeostat.local.guard import Guard
from homeostat.local.process import free_port
from homeostat.local.redis import redis_answers, redis_part
from homeostat.local.waiting import wait_for


def test_redis_serves_and_keeps_what_it_holds_over_a_stop(tmp_path: Path, guard: Guard) -> None:
    port = free_port()
    part = redis_part(tmp_path / "redis", tmp_path / "redis.log", port, guard)
    part.launch()
    assert wait_for(part.ready, 10)
    redis.Redis(port=port).set("key", "value")

    part.child.stop(part.stop_seconds)
    assert not redis_answers(port)
    part.launch()
    assert wait_for(part.ready, 10)

    assert redis.Redis(port=port).get("key") == b"value"
