"""After a broker's death Kafka may show offsets of a transaction that it aborted: the journal counts."""

from __future__ import annotations

from shared.runtime.memory import MemoryRuntime
from shared.topics import FEATURES, PREDICTIONS
from tests.shared.runtime.counting import Counter, event
from tests.support.member import Share

GROUP = "homeostat.predictor"


def _commit_without_a_journal(runtime: MemoryRuntime, beyond: int) -> None:
    """Takes partitions over for a moment and moves their offsets, and nothing else, `beyond` the true ones."""
    stranger = runtime.bus.transaction(GROUP, "stranger", "stranger")
    share = Share()
    stranger.subscribe(["features"], share)
    for _ in range(3):
        runtime.run_until_idle()
        stranger.poll(0, 0.0)
    committed = stranger.committed(sorted(share.owned))
    assert committed
    stranger.commit([], {at: (offset or 0) + beyond for at, offset in committed.items()})
    stranger.close()
    runtime.run_until_idle()


def test_a_group_that_is_ahead_of_the_journal_loses_no_event() -> None:
    runtime = MemoryRuntime({"predictor": Counter})
    for number in range(20):
        runtime.put(FEATURES, event(number))
    runtime.run_until_idle()

    _commit_without_a_journal(runtime, beyond=3)
    runtime.crash("predictor")
    for number in range(20, 60):
        runtime.put(FEATURES, event(number))
    runtime.run_until_idle()

    assert sorted(int(answer.id) for answer in runtime.messages(PREDICTIONS)) == list(range(60))
