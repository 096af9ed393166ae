"""The JSON Schema of specifications: `python -m shared.pipeline.schema` writes it anew."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from shared.pipeline.span import duration_text
from shared.pipeline.specification import Specification

PATH = Path(__file__).parents[2] / "docs" / "pipeline.schema.json"


class _Schema(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Durations as people write them."""
        return duration_text(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def schema_text() -> str:
    """What the file must hold, so that editors and other tools check specifications as Homeostat does."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Specification.model_json_schema(by_alias=True, mode="validation", schema_generator=_Schema),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text())
