"""Labels: early, late, corrected, wrong, missing, and of no event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from shared.messages import Label

Make = Callable[..., Any]


def test_one_source_of_wrong_labels_is_found_out(stream: Make) -> None:
    s = stream(warm=2000)
    for start in range(3000, 3400, 50):
        s.run(50, labels=False)
        labels = []
        for i in range(start, start + 50):
            answer = s.monitor._state.pipelines["shop"].record.join.read("prediction", np.array([i]))[0]
            truth = int(s.monitor._state.pipelines["shop"].record.classes.names[int(answer)])
            poisoned = i % 2 == 0 and s.rng.random() < 0.8
            label = 1 - truth if poisoned else truth
            labels.append(Label(pipeline="shop", id=f"e{i}", label=label, source="south" if i % 2 == 0 else "north"))
        s.label(labels)
    (_, alert) = s.alerts()[0]
    assert (alert.kind, alert.causes[0].kind, alert.causes[0].what) == ("data_quality", "source", "south")


def test_labels_that_come_early_are_joined_when_their_event_comes(stream: Make) -> None:
    s = stream()
    s.label([Label(pipeline="shop", id=f"e{i}", label=1) for i in range(50)])
    s.run(50, labels=False)
    assert s.metrics("data")[-1].labelled_seen == 50


def test_a_label_without_an_event_becomes_a_dead_letter_and_is_counted(stream: Make) -> None:
    s = stream()
    s.label([Label(pipeline="shop", id="nobody", label=1)])
    s.run(10_050)
    (letter,) = s.dead()
    assert (letter.reason, letter.id, letter.topic, letter.pipeline) == ("unknown-id", "nobody", "labels", "shop")
    s.run(500)
    counts = [m.values["unknown_label_ids"] for m in s.metrics("data") if m.values]
    assert counts[-1] == 1.0


def test_on_an_idle_stream_a_label_without_an_event_is_given_up_after_a_while(stream: Make) -> None:
    s = stream()
    s.run(50)
    s.label([Label(pipeline="shop", id="nobody", label=1)])
    s.tick(100)
    assert s.dead() == []
    s.tick(300)
    assert [letter.id for letter in s.dead()] == ["nobody"]


def test_corrected_and_late_labels_revise_published_windows(stream: Make) -> None:
    s = stream(warm=1000)
    before = [w for w in s.metrics("performance") if w.window.index == 0][-1]
    wrong = [Label(pipeline="shop", id=f"e{i}", label=7) for i in range(1000, 1100)]
    s.label(wrong)
    s.tick()
    after = [w for w in s.metrics("performance") if w.window.index == 0][-1]
    assert after.revision == before.revision + 1
    assert after.values["accuracy"] < before.values["accuracy"] - 0.2
    assert after.labelled_seen == before.labelled_seen + 750


def test_completeness_says_how_many_labels_are_still_missing(stream: Make) -> None:
    s = stream(warm=250)
    s.run(100, labels=False)
    s.run(250)
    window = s.metrics("performance")[-1]
    assert window.completeness == 250 / 350
