"""A real server on a port, and the settings it takes."""

from __future__ import annotations

import socket

import httpx
import pytest

from services.predictor.board import Board
from services.predictor.server import Server
from services.predictor.settings import PredictorSettings, predictor_settings
from shared.errors import Misconfigured
from tests.services.predictor.talking import (
    SETTINGS,
    board_of,
    constant,
    endpoint,
    x_request,
)


def test_a_real_server_answers_swaps_and_stops() -> None:
    board = board_of(constant(1))
    server = Server(endpoint(board), SETTINGS)
    server.start()
    address = f"http://127.0.0.1:{server.port}"
    try:
        with httpx.Client(base_url=address) as client:
            before = client.post("/v2/models/demo/infer", json=x_request(1.0)).json()
            board.show(board_of(constant(1), constant(2)).view)
            after_swap = client.post("/v2/models/demo/infer", json=x_request(1.0)).json()
    finally:
        server.stop()

    assert (before["model_version"], after_swap["model_version"]) == ("1", "2")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{address}/v2")


def test_a_port_in_use_is_named_and_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(Misconfigured, match=f"127.0.0.1:{port}.*HOMEOSTAT_PREDICTOR_PORT"):
            Server(endpoint(Board()), PredictorSettings(port=port)).start()


@pytest.mark.parametrize("text", ["x", "-1", "65536", "1.5", "\u0665"])
def test_a_setting_that_is_no_port_is_named(text: str) -> None:
    with pytest.raises(Misconfigured, match="HOMEOSTAT_PREDICTOR_PORT"):
        predictor_settings({"HOMEOSTAT_PREDICTOR_PORT": text})


def test_settings_have_defaults_that_stay_on_this_machine() -> None:
    assert predictor_settings({}) == PredictorSettings()
    assert PredictorSettings().host == "127.0.0.1"
    assert PredictorSettings().port == 8081
