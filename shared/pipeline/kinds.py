"""What a pipeline answers. Apart from the specification, so that who needs only this starts without pydantic."""

from __future__ import annotations

from typing import Literal

Kind = Literal["binary", "multiclass", "regression", "anomaly"]
