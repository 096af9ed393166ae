"""Who is answered by the canary: the same entities every time, in every process."""

from __future__ import annotations

import hashlib

from services.predictor.core.releases import Live
from shared.messages import ModelPublished

_RANGE = float(1 << 64)


def share_of(pipeline: str, entity: str) -> float:
    """Where an entity stands in [0, 1): uniform over entities, the same for ever.

    >>> share_of("elec2", "nsw") == share_of("elec2", "nsw")
    True
    """
    digest = hashlib.blake2b(f"{pipeline}\x1f{entity}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _RANGE


def release_for(live: Live, pipeline: str, entity: str) -> ModelPublished | None:
    """The release that answers this entity: the canary below its weight, else the champion.

    A larger weight keeps every entity that the canary answered before.
    """
    if live.canary is not None and share_of(pipeline, entity) < live.canary.weight:
        return live.canary
    return live.champion
