from __future__ import annotations

from datetime import UTC, datetime

import pytest

from homeostat.local.orders import Plan, plan_of
from shared.messages import ActionName, Command

RUNNING = {"ingest": [("ingest", 0), ("ingest-1", 1)], "monitor": [("monitor", 0)], "kafka": [("kafka", 0)]}
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _command(action: ActionName, **arguments: object) -> Command:
    return Command(
        id="c", incident="i", pipeline="_system", action=action, arguments=arguments, reason="", issued_by="policy:x@1",
        at=NOW, deadline=NOW,
    )  # fmt: skip


def test_a_restart_restarts_every_instance() -> None:
    assert plan_of(_command("restart_service", service="ingest"), RUNNING, 4) == Plan(restart=("ingest", "ingest-1"))


def test_scaling_up_adds_the_missing_instances_and_scaling_down_takes_the_last() -> None:
    assert plan_of(_command("scale_service", service="ingest", replicas=4), RUNNING, 4) == Plan(add=(2, 3))
    assert plan_of(_command("scale_service", service="ingest", replicas=1), RUNNING, 4) == Plan(remove=("ingest-1",))


def test_commands_about_models_are_not_the_stacks_business() -> None:
    assert plan_of(_command("retrain"), RUNNING, 4) is None


@pytest.mark.parametrize(
    ("action", "arguments", "why"),
    [
        (
            "restart_service",
            {"service": "postgres"},
            "no service 'postgres' runs here; there are ingest, kafka, monitor",
        ),
        ("restart_service", {}, "no service ''"),
        ("scale_service", {"service": "monitor", "replicas": 2}, "one task in all"),
        ("scale_service", {"service": "ingest", "replicas": 5}, "from 1 to 4"),
        ("scale_service", {"service": "ingest", "replicas": True}, "from 1 to 4"),
        ("scale_service", {"service": "ingest"}, "replicas=None"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    action: ActionName, arguments: dict[str, object], why: str
) -> None:
    plan = plan_of(_command(action, **arguments), RUNNING, 4)

    assert plan is not None
    assert why in plan.refusal
