"""A lineage that says nothing, for models of which a test asks nothing more than that they are there."""

from __future__ import annotations

from shared.messages import Lineage

NO_LINEAGE = Lineage(
    features_ranges={},
    labels_ranges={},
    data_hash="",
    rows=0,
    specification_version=1,
    specification_digest="",
    code_revision="",
    seed=0,
    libraries={},
)
