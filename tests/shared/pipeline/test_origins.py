"""Fields behind features, and features that go with a field."""

from __future__ import annotations

from shared.pipeline.origins import fields_of, missing_without
from shared.pipeline.specification import Specification

MARKET = Specification.model_validate(
    {
        "name": "market",
        "kind": "binary",
        "schema": {
            "id": {"type": "string"},
            "price": {"type": "number"},
            "demand": {"type": "number"},
            "unused": {"type": "number"},
            "up": {"type": "boolean"},
        },
        "id": "id",
        "target": "up",
        "features": {
            "price": "price",
            "price_before": {"expression": "price", "lag": 1},
            "step": {"expression": "price - price_before", "input": False},
            "jump": "abs(step)",
            "demand_mean": {"expression": "demand", "window": 48},
            "ratio": "demand / price",
        },
    }
)


def test_a_feature_of_features_is_made_of_their_fields() -> None:
    assert fields_of("jump", MARKET) == ("price",)
    assert fields_of("ratio", MARKET) == ("price", "demand")
    assert fields_of("demand", MARKET) == ("demand",)
    assert fields_of("nothing of the kind", MARKET) == ()


def test_without_a_field_all_inputs_made_of_it_are_missing() -> None:
    assert missing_without(MARKET) == {
        "price": ("price", "price_before", "jump", "ratio"),
        "demand": ("demand_mean", "ratio"),
    }
