"""Subscriptions on disk: whole at every moment, whoever writes beside whom."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.gateway.delivery.store import Subscription, SubscriptionStore
from tests.services.gateway.messages import at


def subscription(name: str) -> Subscription:
    return Subscription(
        id=name, name=name, type="webhook", url="https://hooks.example/x", created_at=at(0), created_by="person:tester"
    )


def test_two_receivers_that_are_served_at_once_do_not_tear_the_file(tmp_path: Path) -> None:
    store = SubscriptionStore(tmp_path / "subscriptions.json")
    both = [subscription("a"), subscription("b")]
    for each in both:
        store.add(each)

    with ThreadPoolExecutor(8) as threads:
        for future in [threads.submit(store.delivered, both[n % 2], f"alerts/0:{n}", at(n)) for n in range(80)]:
            future.result()

    assert [each.delivered for each in SubscriptionStore(tmp_path / "subscriptions.json")] == [40, 40]
    assert [file.name for file in tmp_path.iterdir()] == ["subscriptions.json"]
    assert (tmp_path / "subscriptions.json").stat().st_mode & 0o077 == 0


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_is_kept_later(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    store = SubscriptionStore(folder / "subscriptions.json")
    told = subscription("a")
    store.add(told)
    away = folder.rename(tmp_path / "away")
    folder.write_text("no folder: nothing can be written")

    with pytest.raises(OSError, match="gateway"):
        store.delivered(told, "alerts/0:7", at(1))
    with pytest.raises(OSError, match="gateway"):
        store.add(subscription("b"))

    assert [each.id for each in store] == ["a"]
    assert json.loads((away / "subscriptions.json").read_text())[0]["cursor"] == ""
    folder.unlink()
    away.rename(folder)
    store.keep()
    assert [each.cursor for each in SubscriptionStore(folder / "subscriptions.json")] == ["alerts/0:7"]
