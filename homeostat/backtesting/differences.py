"""What a changed policy would have done differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Line = Mapping[str, Any]


def differences_of(actions: Sequence[Line], policies: Sequence[str]) -> list[dict[str, Any]]:
    """The actions that some policies ordered and others did not, by row.

    Two orders are one where row, action and arguments agree: everything up to the first difference does,
    since the same rows go through the same services. Ids differ, since a command's is made from its policy.
    """
    orders = {policy: {_order(line) for line in actions if line["policy"] == policy} for policy in policies}
    common = set.intersection(*orders.values()) if orders else set()
    apart = [line for line in actions if _order(line) not in common]
    apart.sort(key=lambda line: (line["row"], policies.index(line["policy"])))
    columns = ("row", "at", "policy", "action", "arguments", "reason")
    return [{name: line[name] for name in columns} for line in apart]


def _order(line: Line) -> tuple[int, str, str]:
    return line["row"], line["action"], line["arguments"]
