from __future__ import annotations

import socket
import threading

from shared.runtime.arrival import wait_for_listener


def _never() -> threading.Event:
    return threading.Event()


def test_a_listener_among_several_addresses_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        assert wait_for_listener(f"127.0.0.1:1, 127.0.0.1:{port}", 10.0, _never())


def test_one_that_comes_later_is_found_when_it_comes() -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        threading.Timer(0.2, late.listen).start()

        assert wait_for_listener(f"127.0.0.1:{late.getsockname()[1]}", 10.0, _never())


def test_waiting_ends_without_a_listener_when_the_time_is_over() -> None:
    assert not wait_for_listener("127.0.0.1:1", 0.0, _never())
    assert not wait_for_listener("no port", 0.0, _never())


def test_waiting_ends_when_the_process_is_told_to_stop() -> None:
    stop = threading.Event()
    stop.set()

    assert not wait_for_listener("127.0.0.1:1", 3600.0, stop)
